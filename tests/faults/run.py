"""
`python3 dev.py faults`: every fault under load, against real processes, as a table.

What must hold for each: no request without an answer, no reward that is not the known one, and no
failure of ours that is a number. Exit status 1 if anything did not hold.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from tests.faults.clock import Clock, NoClock
from tests.faults.engine import NoEngine, PrivateEngine, private_engine
from tests.faults.load import Book, load_on
from tests.faults.stack import Stack, running_stack
from tests.faults.table import FAULTS, Fault

CALM_S = 2.0
COLUMNS = "| fault | times | items | lost | wrong | null | slowest | unwanted |\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did."""

    fault: Fault
    times: int
    book: Book
    unwanted: int

    @property
    def held(self) -> bool:
        """Whether everything was as it must be."""
        surprises = set(self.book.unscored) - self.fault.may_fail
        return not (self.book.lost or self.book.wrong or surprises) and self.book.answered > 0


def strike(stack: Stack, fault: Fault, times: int) -> Outcome:
    """Let the fault happen under load, `times` times."""
    before = _unwanted(stack)
    with load_on(stack.url, programs=stack.has_programs) as book:
        time.sleep(CALM_S)
        for _ in range(times):
            fault.strike(stack, book)
            time.sleep(fault.pause_s)
        time.sleep(CALM_S)
    stack.wait_until_ready()
    if stack.has_programs:
        stack.wait_until_swept()
    return Outcome(fault, times, book, max(0, _unwanted(stack) - before))


def _unwanted(stack: Stack) -> int:
    lines = httpx.get(f"{stack.url}/metrics", timeout=30).text.splitlines()
    found = [line for line in lines if line.startswith("rulegrade_unwanted_results_total")]
    return int(sum(float(line.rpartition(" ")[2]) for line in found))


class Workplace:
    """Where stacks are made; the engine is shared by those that need one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    @cache  # noqa: B019 (one workplace a process)
    def engine(self) -> PrivateEngine:
        """The engine of all stacks. Raises NoEngine."""
        return self._stack.enter_context(private_engine())

    @contextmanager
    def stack_for(self, fault: Fault) -> Iterator[Stack]:
        """A stack with what the fault needs. Raises NoEngine and NoClock."""
        engine = self.engine() if fault.has_programs else None
        with tempfile.TemporaryDirectory(prefix="rulegrade-faults-") as name:
            clock = Clock(Path(name) / "clock") if fault.has_clock else None
            with running_stack(Path(name), engine=engine, clock=clock) as stack:
                yield stack


def main() -> int:
    """Run the table; 0 if everything held."""
    parser = argparse.ArgumentParser(description="Break things under load.")
    parser.add_argument("--only", help="part of a fault's name")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if fault.times and (options.only or "") in fault.name]
    failed = 0
    print(COLUMNS + "|---|---|---|---|---|---|---|---|", flush=True)
    with ExitStack() as stack:
        workplace = Workplace(stack)
        for fault in chosen:
            try:
                with workplace.stack_for(fault) as running:
                    outcome = strike(running, fault, fault.times)
            except (NoEngine, NoClock) as reason:
                print(f"| {fault.name} | skipped: {reason} |", flush=True)
            else:
                _print(outcome)
                failed += not outcome.held
    return 1 if failed else 0


def _print(outcome: Outcome) -> None:
    book = outcome.book
    print(
        f"| {outcome.fault.name} | {outcome.times} | {book.answered} | {len(book.lost)} "
        f"| {len(book.wrong)} | {len(book.unscored)} | {book.slowest_s:.1f} s "
        f"| {outcome.unwanted} |" + ("" if outcome.held else "  <- did not hold"),
        flush=True,
    )
    for note in book.notes:
        print(f"  {note}", file=sys.stderr)
    if book.unscored:
        print("  codes:", dict(Counter(book.unscored)), file=sys.stderr)
    for kind, found in (("wrong", book.wrong), ("lost", book.lost)):
        if found:
            print(f"  {kind}: {found[:5]}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
