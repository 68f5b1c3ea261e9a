"""Which problems are worth training on, and what a set of samples says about a policy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grpo_trainer.metrics import best_of_n, majority_vote, mean_and_error, pass_at_k
from grpo_trainer.problems import Problem
from grpo_trainer.samples import Sample, scored_groups


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How often a problem was solved."""

    problem_id: str
    samples: int
    pass_rate: float


def difficulties(samples: Iterable[Sample]) -> list[Difficulty]:
    """Return the pass rate of every problem that has a scored sample."""
    return [
        Difficulty(name, len(group), sum(map(is_right, group)) / len(group))
        for name, group in scored_groups(samples)
    ]


def between(
    problems: Sequence[Problem], found: Iterable[Difficulty], *, above: float, below: float
) -> list[Problem]:
    """Keep the problems solved more often than `above` and less often than `below`.

    0 and 1 drop those that are always or never solved: their groups give GRPO no gradient.
    """
    rates = {one.problem_id: one.pass_rate for one in found}
    return [problem for problem in problems if above < rates.get(problem.id, above) < below]


def figures(samples: Iterable[Sample], ks: Sequence[int]) -> dict[str, float]:
    """pass@k and best-of-k for every k, pass@1 with its error, and the majority vote of all."""
    groups = [group for _, group in scored_groups(samples)]
    if not groups:
        raise ValueError("no sample has a reward")
    rights = [[is_right(sample) for sample in group] for group in groups]
    rewards = [[s.reward for s in group if s.reward is not None] for group in groups]
    pass_1, error = mean_and_error([sum(right) / len(right) for right in rights])
    table = {"problems": float(len(groups)), "pass@1": pass_1, "pass@1 error": error}
    for k in ks:
        if k <= min(map(len, groups)):
            table[f"pass@{k}"] = _mean(pass_at_k(len(right), sum(right), k) for right in rights)
            table[f"best of {k}"] = _mean(best_of_n(values, k) for values in rewards)
    votes = [[(s.graded.answer(s.judge), is_right(s)) for s in group] for group in groups]
    size = max(map(len, groups))
    return {**table, f"cons@{size}": _mean(map(majority_vote, votes))}


def is_right(sample: Sample) -> bool:
    """Whether the first verifier of its task found it correct."""
    return sample.graded.is_right(sample.judge)


def _mean(values: Iterable[float]) -> float:
    return mean_and_error([*values])[0]
