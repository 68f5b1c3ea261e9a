"""
Held-out problems, k samples each, with a generator of their own: evaluating changes no training.

pass@1 is the mean over samples, as R1 reports it; maj@k its cons@k; pass@k without bias.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch

from grpo_trainer.metrics import majority_vote, mean_and_error, pass_at_k
from grpo_trainer.policy import Policy, Tokenizer
from grpo_trainer.problems import Problem
from grpo_trainer.rewards import Graded, RewardRequests
from grpo_trainer.rollout import Sampling, sample


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a policy is evaluated. R1: temperature 0.6, top-p 0.95."""

    samples: int = 4
    seed: int = 1234
    max_new_tokens: int = 256
    temperature: float = 0.6
    top_p: float = 0.95


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over the held-out problems."""

    pass_1: float
    pass_1_error: float
    """Standard error of pass_1 over problems."""
    majority: float | None
    """Majority vote over all samples; None where the judge names no answer, as with programs."""
    pass_k: float
    language: float | None
    """Mean language consistency of the samples where there was enough text to tell."""
    unscored: int
    """Samples that the service failed to score; they are in none of the figures."""

    def row(self) -> dict[str, float | int | None]:
        """Return what a log line holds."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Example:
    """One evaluated sample, to be read."""

    prompt: str
    text: str
    graded: Graded
    is_right: bool


def evaluate(
    policy: Policy,
    tokenizer: Tokenizer,
    problems: Sequence[Problem],
    *,
    requests: RewardRequests,
    protocol: Protocol,
    device: str = "cpu",
) -> tuple[Evaluation, list[Example]]:
    """Evaluate, and return the first sample of every problem as an example."""
    k = protocol.samples
    asked = [problem for problem in problems for _ in range(k)]
    generator = torch.Generator(device).manual_seed(protocol.seed)
    rollout = sample(
        policy,
        tokenizer,
        [problem.prompt for problem in asked],
        sampling=Sampling(protocol.max_new_tokens, protocol.temperature, protocol.top_p),
        generator=generator,
    )
    graded = requests.send(asked, rollout.texts, rollout.truncated.tolist()).result()
    groups = [graded[start : start + k] for start in range(0, len(graded), k)]
    examples = [
        Example(one.prompt, text, grade, grade.is_right(one.judge))
        for one, text, grade in zip(asked, rollout.texts, graded, strict=True)
    ]
    return summary(problems, groups), examples[::k]


def summary(problems: Sequence[Problem], groups: Sequence[Sequence[Graded]]) -> Evaluation:
    """Compute the figures; `groups` holds the graded samples of each problem."""
    right_of: list[tuple[list[bool], list[tuple[str | None, bool]]]] = []
    for problem, group in zip(problems, groups, strict=True):
        scored = [one for one in group if one.reward is not None]
        votes = [(one.answer(problem.judge), one.is_right(problem.judge)) for one in scored]
        if scored:
            right_of.append(([right for _, right in votes], votes))
    if not right_of:
        raise RuntimeError("the service scored no sample of the evaluation")
    pass_1, error = mean_and_error([sum(right) / len(right) for right, _ in right_of])
    shares = [s for group in groups for one in group if (s := one.score("language")) is not None]
    is_voted = any(answer is not None for _, votes in right_of for answer, _ in votes)
    return Evaluation(
        pass_1=pass_1,
        pass_1_error=error,
        majority=_mean([majority_vote(votes) for _, votes in right_of]) if is_voted else None,
        pass_k=_mean([pass_at_k(len(right), sum(right), len(right)) for right, _ in right_of]),
        language=_mean(shares) if shares else None,
        unscored=sum(one.reward is None for group in groups for one in group),
    )


def _mean(values: Sequence[float]) -> float:
    return mean_and_error(values)[0]
