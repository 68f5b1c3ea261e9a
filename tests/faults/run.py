"""
`python3 dev.py faults`: every fault under load, against real processes, as a table.

What must hold for each: no request without an answer, no reward that is not the known one, and no
failure of ours that is a number. Exit status 1 if anything did not hold.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

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
    with load_on(stack.url) as book:
        time.sleep(CALM_S)
        for _ in range(times):
            fault.strike(stack)
            time.sleep(fault.pause_s)
        time.sleep(CALM_S)
    stack.wait_until_ready()
    return Outcome(fault, times, book, max(0, _unwanted(stack) - before))


def _unwanted(stack: Stack) -> int:
    lines = httpx.get(f"{stack.url}/metrics", timeout=30).text.splitlines()
    found = [line for line in lines if line.startswith("rulegrade_unwanted_results_total")]
    return int(sum(float(line.rpartition(" ")[2]) for line in found))


def main() -> int:
    """Run the table; 0 if everything held."""
    parser = argparse.ArgumentParser(description="Break things under load.")
    parser.add_argument("--only", help="part of a fault's name")
    options = parser.parse_args()
    failed = 0
    print(COLUMNS + "|---|---|---|---|---|---|---|---|", flush=True)
    for fault in FAULTS:
        if options.only and options.only not in fault.name:
            continue
        with (
            tempfile.TemporaryDirectory(prefix="rulegrade-faults-") as directory,
            running_stack(Path(directory)) as stack,
        ):
            outcome = strike(stack, fault, fault.times)
        book = outcome.book
        print(
            f"| {fault.name} | {outcome.times} | {book.answered} | {len(book.lost)} "
            f"| {len(book.wrong)} | {len(book.unscored)} | {book.slowest_s:.1f} s "
            f"| {outcome.unwanted} |" + ("" if outcome.held else "  <- did not hold"),
            flush=True,
        )
        if book.unscored:
            print("  codes:", sorted(set(book.unscored)), file=sys.stderr)
        failed += not outcome.held
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
