"""`rulegrade grade`: scores a file of completions with the service's engine, without HTTP."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from reward_service.chunks import Plan
from reward_service.engine import Engine, run_engine
from reward_service.errors import BadTask
from reward_service.references import problems
from reward_service.rows import Rows, read_rows
from reward_service.schemas import Result, TaskProblem, VerifierSpec
from reward_service.settings import Settings

BATCH = 64
BATCHES_AT_ONCE = 2  # while the last items of one finish, the next keeps the workers busy
DEADLINE_MS = 600_000


@dataclass(slots=True)
class Summary:
    """Counts over a file."""

    rewards: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    """Keys are `verifier verdict`."""
    errors: Counter[str] = field(default_factory=Counter)
    """Keys are error codes; one per item."""
    count: int = 0

    @property
    def error_share(self) -> float:
        """Share of the items that we failed to score."""
        return self.errors.total() / self.count if self.count else 0.0

    def add(self, result: Result) -> None:
        """Count one result."""
        self.count += 1
        if result.reward is not None:
            self.rewards.append(result.reward)
        if result.error is not None:
            self.errors[result.error.code] += 1
        for name, component in result.components.items():
            self.verdicts[f"{name} {component.verdict or component.status}"] += 1


async def grade(
    file: Path, out: Path, settings: Settings, *, default: Sequence[VerifierSpec]
) -> Summary:
    """Score every item of `file` into `out`, one result a line, in the order of the file.

    Raises BadTask, naming the line, before anything is scored or written.
    """
    rows = _read(file, default)
    summary = Summary()
    with _opened(out, file) as sink:
        async with aclosing(_results(rows, settings)) as results:
            async for result in results:
                summary.add(result)
                sink.write(result.model_dump_json() + "\n")
    return summary


def _opened(out: Path, file: Path) -> TextIO:
    if out.exists() and out.samefile(file):
        raise BadTask("--out", "is the file that is read")
    try:
        return out.open("w", encoding="utf-8")
    except OSError as error:
        raise BadTask("--out", f"cannot be written: {error.strerror}") from None


async def check_gold(
    file: Path, settings: Settings, *, default: Sequence[VerifierSpec]
) -> list[tuple[int, TaskProblem]]:
    """The references of `file` that no answer can be compared with, by line number."""
    rows = _read(file, default)
    found = []
    async with aclosing(_results(rows.without_completions(), settings)) as results:
        async for result in results:
            found += [(rows.lines[result.index], problem) for problem in problems([result])]
    return found


def _read(file: Path, default: Sequence[VerifierSpec]) -> Rows:
    with file.open("rb") as lines:
        rows = read_rows(lines, default)
    for start in range(0, len(rows.items), BATCH):
        _check(rows, start)
    return rows


async def _results(rows: Rows, settings: Settings) -> AsyncGenerator[Result, None]:
    """One result per row, in order, under a progress bar."""
    starts = range(0, len(rows.items), BATCH)
    with tqdm(total=len(rows.items), unit="item", file=sys.stderr) as bar:
        async with run_engine(settings) as engine:
            for first in range(0, len(starts), BATCHES_AT_ONCE):
                wave = starts[first : first + BATCHES_AT_ONCE]
                for results in await asyncio.gather(*(_score(engine, rows, s) for s in wave)):
                    for result in results:
                        yield result
                    bar.update(len(results))


async def _score(engine: Engine, rows: Rows, start: int) -> list[Result]:
    batch = rows.batch(start, BATCH, deadline_ms=DEADLINE_MS)
    response = await engine.score(batch, received=time.monotonic(), key="")
    return [r.model_copy(update={"index": start + r.index}) for r in response.results]


def _check(rows: Rows, start: int) -> None:
    """Find what cannot be graded before the first item is scored, and name its line."""
    try:
        Plan(rows.batch(start, BATCH, deadline_ms=DEADLINE_MS))
    except BadTask as error:
        if (found := error.of_item()) is None:
            raise
        index, rest = found
        raise BadTask(f"line {rows.lines[start + index]}: {rest}", error.message) from None


def print_summary(summary: Summary, out: Path) -> None:
    """The figures a person wants after a run."""
    mean = sum(summary.rewards) / len(summary.rewards) if summary.rewards else None
    print(f"items        {summary.count}")
    print(
        f"mean reward  {'–' if mean is None else format(mean, '.4f')}  (n={len(summary.rewards)})"
    )
    for name, count in sorted(summary.verdicts.items()):
        print(f"  {name:<40} {count}")
    print(f"errors       {summary.errors.total()}  ({summary.error_share:.1%})")
    for code, count in sorted(summary.errors.items()):
        print(f"  {code:<40} {count}")
    print(f"results      {out}")


def print_problems(found: Sequence[tuple[int, TaskProblem]]) -> None:
    """One line for each reference that cannot be graded against."""
    for line, problem in found:
        print(f"line {line}: {problem.verifier}: {problem.code}: {problem.message}")
    print(
        f"{len(found)} references cannot be graded against" if found else "every reference is fit"
    )
