"""
What the languages share when they split a task with test code into two programs.

The submission is hostile text. Nothing of it may stand in the judge's program but names that the
test code itself holds, and types put together from words of ours.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MAX_SOURCE = 131_072
"""Characters of a submission. Reading that many takes a fifth of a second at most."""

MAX_TYPE = 2000
"""Characters of a type in full: names for types of names can make it grow sixfold at every step."""


_COMPARING_TEXT = """
after aftereach afterall allclose almost_equal almostequal approx approx_equal approxequal
array_equals arrayequals arrays_equal arraysequal before beforeall beforeeach chai check context
deep_equal deepequal deepstrictequal describe ensure equal equals expect is_close is_equal is_same
isclose isequal issame it jest matchers ok qunit require same should sinon specify strict_equal
strictequal suite test truth verify vi
"""
_COMPARING = frozenset(_COMPARING_TEXT.split())
_COMPARING_PREFIX = re.compile(r"(?i:assert)|expect_|EXPECT|REQUIRE|CHECK")


class Uncallable(Exception):
    """The submission offers nothing that the test code could call; the message says why."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts of the two programs, in one language."""

    program: str
    """The submission, followed by a server that answers calls on the channel."""
    judge: str
    """The test code, preceded by stand-ins that call the program."""


def compares(name: str) -> bool:
    """Whether a name is one that tests compare with, or are run by.

    Where test code uses such a name without defining it, a submission that did could have every
    test pass: it is not asked for it, unless the task says that this is what it tests.
    """
    return name.lower() in _COMPARING or _COMPARING_PREFIX.match(name) is not None


@cache
def runtime(name: str) -> str:
    """The text of a runtime file of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
