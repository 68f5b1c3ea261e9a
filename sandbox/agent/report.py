"""
What the judge's side hands out: JSON lines on descriptor 3, which no other process has.

    {"plan": ["test_a", "test_b"]}
    {"test": 0, "outcome": "passed", "message": ""}      failed, error or skipped instead of passed
    {"done": true, "flags": []}                          nothing counts as passed without this line
    {"fault": "why"}                                     instead: the test code itself is no good
"""

import json
import os
import traceback
from collections.abc import Sequence
from typing import Literal

RESULT_FD = 3
MAX_MESSAGE = 400

Outcome = Literal["passed", "failed", "error", "skipped"]

_write = os.write


class Report:
    """One verdict for each planned test, the first bad one being final."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome | None] = []

    def plan(self, names: Sequence[str]) -> None:
        """Say which tests there are, before the first of them runs."""
        self._outcomes = [None] * len(names)
        self._say({"plan": [name[-200:] for name in names]})

    def record(self, test: int, outcome: Outcome, message: str = "") -> None:
        """Say how a test ended. One that ran twice has passed if it did so both times."""
        if self._outcomes[test] in (None, "passed") and outcome != self._outcomes[test]:
            self._outcomes[test] = outcome
            self._say({"test": test, "outcome": outcome, "message": message[:MAX_MESSAGE]})

    def finish(self, flags: Sequence[str], message: str = "") -> None:
        """Say that all has been said.

        What was planned and did not run is an error,
        unless it did not run because of another one.
        """
        if self.is_empty():
            self.plan(["loading the tests"])
        if not any(outcome not in (None, "passed") for outcome in self._outcomes):
            for test, outcome in enumerate(self._outcomes):
                if outcome is None or message:  # then not even what passed can be relied on
                    self.record(test, "error", message or "this test was not reached")
        self._say({"done": True, "flags": sorted(flags)})

    def fault(self, why: str) -> None:
        """Say that nothing can be found out with this test code."""
        self._say({"fault": why[:MAX_MESSAGE]})

    def is_empty(self) -> bool:
        """Whether no test is planned."""
        return not self._outcomes

    def _say(self, line: dict[str, object]) -> None:
        data = json.dumps(line).encode() + b"\n"
        while data:
            data = data[_write(RESULT_FD, data) :]


def words(error: BaseException) -> str:
    """What an exception says; it may be the program's, so that asking it may fail."""
    try:
        return "".join(traceback.format_exception_only(type(error), error)).strip()
    except BaseException:
        return type(error).__name__
