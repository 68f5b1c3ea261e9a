"""
What the languages share when they split a task with test code into two programs.

The submission is hostile text. Nothing of it may stand in the judge's program but names that the
test code itself holds, and types put together from words of ours.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAX_SOURCE = 131_072
"""Characters of a submission. Reading that many takes a fifth of a second at most."""


class Uncallable(Exception):
    """The submission offers nothing that the test code could call; the message says why."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts of the two programs, in one language."""

    program: str
    """The submission, followed by a server that answers calls on the channel."""
    judge: str
    """The test code, preceded by stand-ins that call the program."""


@cache
def runtime(name: str) -> str:
    """The text of a runtime file of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
