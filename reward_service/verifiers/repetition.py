"""
Repetition: how much of the text has been said before.

The share of repeated n-grams, over words that also exist in scripts without
spaces, where a count of blank-separated words would see one word and nothing
repeated.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reward_service.extract import find_spans
from reward_service.verdicts import Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.units import units_of


class Repetition(Rule):
    """`repetition`: `max_penalty` times the share of n-grams that occurred before."""

    place: ClassVar[Place] = "inline"

    ngram: Annotated[int, Field(ge=1, le=20)] = 3
    """Units in a row that make one n-gram."""
    max_penalty: Annotated[float, Field(ge=-1000, le=0)] = -1.0
    """Score of a text that repeats one n-gram for ever; a text without repetition scores 0."""
    passes_below: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of repeated n-grams from which the verdict is `format_error`; the score is as it is."""
    scope: Literal["completion", "thought", "final"] = "completion"
    """What is read: everything, the thought, or what follows it."""

    def __call__(self, attempt: Attempt) -> Score:
        """Score the repeated share."""
        units = units_of(self._read(attempt))
        total = max(0, len(units) - self.ngram + 1)
        unique = len(set(zip(*(units[i:] for i in range(self.ngram)), strict=False)))
        share = 1 - unique / total if total else 0.0
        details = {"repeated_share": round(share, 4), "units": len(units)}
        value = share * self.max_penalty if share else 0.0
        if not attempt.completion.strip():
            return Score(Verdict.NO_ANSWER, value, "empty_completion", details)
        if share >= self.passes_below and share > 0:
            return Score(Verdict.FORMAT_ERROR, value, "repetitive", details)
        return Score(Verdict.CORRECT, value, "varied", details)

    def _read(self, attempt: Attempt) -> str:
        spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
        if self.scope == "completion" or spans.thought is None:
            return attempt.completion
        if self.scope == "final":
            return attempt.completion[spans.final :]
        return attempt.completion[slice(*spans.thought)]
