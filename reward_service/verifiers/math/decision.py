"""What a comparison of two answers found, as plain data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Answer(StrEnum):
    """Whether two answers are the same one; `undecided` is an answer too, never a guess."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


Stage = Literal[
    "reference", "text", "exact", "numeric", "identity", "structure", "fallback", "form"
]
"""Which part of the grader decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The finding, why (snake_case), and the stage that made it."""

    answer: Answer
    reason: str
    stage: Stage

    @property
    def is_equal(self) -> bool:
        """Whether the answers are the same."""
        return self.answer is Answer.EQUAL


def equal(reason: str, stage: Stage) -> Decision:
    """The answers are the same."""
    return Decision(Answer.EQUAL, reason, stage)


def different(reason: str, stage: Stage) -> Decision:
    """The answers are proved, or ruled, to be different."""
    return Decision(Answer.DIFFERENT, reason, stage)


def undecided(reason: str, stage: Stage) -> Decision:
    """This part of the grader cannot tell."""
    return Decision(Answer.UNDECIDED, reason, stage)


class UnreadableReference(ValueError):
    """A reference cannot be read, or does not equal itself; no answer can be graded against it."""
