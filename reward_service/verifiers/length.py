"""
Length: a price on words, with every formula held at its ends.

Unclamped versions of these formulas pay for going far over the limit: the
cosine turns back up, the linear penalty runs away. Here the score of an
over-long completion is that of one at the limit.
"""

from math import cos, pi
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from reward_service.verdicts import Failure, Outcome, Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.units import units_of


class Length(Rule):
    """`length`: soft overlong penalty (DAPO), cosine, or a plain maximum."""

    place: ClassVar[Place] = "inline"

    max_length: Annotated[int, Field(ge=1, le=10_000_000)]
    """Longest completion that passes, in `unit`."""
    shape: Literal["overlong", "cosine", "max"] = "overlong"
    """`overlong`: 0 up to `max_length - buffer`, then down in a line to -1 (DAPO, eq. 13).
    `cosine`: from `at_zero` to `at_max` along half a cosine. `max`: 1 up to the limit, else 0."""
    unit: Literal["tokens", "characters", "words"] = "tokens"
    """Tokens are counted by the caller, whose tokenizer they are; words as in `repetition`."""
    count: Annotated[int, Field(ge=0)] | None = None
    """Length of this completion in tokens; give it in the item's own `verifiers`."""
    buffer: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Width of the soft zone of `overlong`."""
    at_zero: Annotated[float, Field(ge=-1000, le=1000)] = 1.0
    """Score of `cosine` for an empty completion; for wrong answers use -1 with `at_max` -0.5."""
    at_max: Annotated[float, Field(ge=-1000, le=1000)] = 0.5
    """Score of `cosine` at `max_length` and beyond."""

    @model_validator(mode="after")
    def _soft_zone_fits(self) -> "Length":
        if self.buffer > self.max_length:
            raise ValueError("`buffer` is wider than `max_length`")
        if (self.count is not None) != (self.unit == "tokens") and self.count is not None:
            raise ValueError("`count` is given for unit `tokens` only")
        return self

    def __call__(self, attempt: Attempt) -> Outcome:
        """Score the length; too long is `format_error`."""
        length = self._length(attempt.completion)
        if length is None:
            return Failure("no_token_count", "reference", "unit `tokens` needs `count` of the item")
        value = {"overlong": self._overlong, "cosine": self._cosine, "max": self._max}[self.shape](
            length
        )
        details = {"length": length, "unit": self.unit, "max_length": self.max_length}
        if not attempt.completion.strip():
            return Score(Verdict.NO_ANSWER, value, "empty_completion", details)
        if length > self.max_length:
            return Score(Verdict.FORMAT_ERROR, value, "too_long", details)
        soft = self.shape == "overlong" and value < 0
        return Score(Verdict.CORRECT, value, "in_soft_zone" if soft else "within_length", details)

    def _length(self, completion: str) -> int | None:
        if self.unit == "tokens":
            return self.count
        return len(completion) if self.unit == "characters" else len(units_of(completion))

    def _overlong(self, length: int) -> float:
        free = self.max_length - self.buffer
        if length <= free:
            return 0.0
        return -1.0 if length >= self.max_length else (free - length) / self.buffer

    def _cosine(self, length: int) -> float:
        progress = min(1.0, length / self.max_length)
        return self.at_max + 0.5 * (self.at_zero - self.at_max) * (1 + cos(pi * progress))

    def _max(self, length: int) -> float:
        return float(length <= self.max_length)
