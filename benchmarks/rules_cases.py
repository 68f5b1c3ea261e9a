"""What the benchmarks of the cheap rules share: cases, tables, CPU time."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

DATA = Path(__file__).parents[1] / "tests/data"


def read(name: str) -> list[dict[str, Any]]:
    """The rows of one file of cases."""
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def cpu_of(call: Callable[[], object]) -> float:
    """CPU seconds of one call, never 0."""
    began = process_time()
    call()
    return max(process_time() - began, 1e-6)
