"""
Files of sampled completions: one JSON object a line, from `sample` through `score` to the rest.

    {"problem_id", "prompt", "completion", "truncated", "reward", "components"}

`reward` and `components` are there once scored; a null reward is a failure of the service.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from grpo_trainer.rewards import Graded


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one problem."""

    problem_id: str
    prompt: str
    completion: str
    truncated: bool = False
    reward: float | None = None
    components: Mapping[str, Any] = field(default_factory=dict)

    @property
    def graded(self) -> Graded:
        """What the service said about it."""
        return Graded(self.reward, self.components)

    @property
    def judge(self) -> str:
        """The verifier that decides whether it is right: the first of its task."""
        if not self.components:
            raise ValueError(f"a sample of {self.problem_id} was not scored")
        return next(iter(self.components))

    @property
    def thought(self) -> str:
        """What stands within the think tags; everything, where they are missing."""
        _, opened, after = self.completion.partition("<think>")
        return (after if opened else self.completion).partition("</think>")[0]


def read_samples(file: Path) -> list[Sample]:
    """Read a file of samples, with a progress bar; ValueError names a line that is none."""
    samples = []
    lines = file.read_text("utf-8").splitlines()
    for number, line in enumerate(tqdm(lines, desc=f"reading {file.name}", unit="line"), 1):
        try:
            samples.append(Sample(**json.loads(line)))
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{file}:{number} is no sample: {error}") from error
    return samples


def write_lines(file: Path, rows: Iterable[Any]) -> int:
    """Write dataclasses or dictionaries, one a line; returns how many."""
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            plain = row if isinstance(row, dict) else asdict(row)
            out.write(json.dumps(plain, ensure_ascii=False) + "\n")
            count += 1
    return count


def by_problem(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Group samples by their problem, in the order of the file."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.problem_id, []).append(sample)
    return groups


def scored_groups(samples: Iterable[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    """Yield the problems that have a reward, without the samples that have none."""
    for name, group in by_problem(samples).items():
        if scored := [sample for sample in group if sample.reward is not None]:
            yield name, scored
