"""
Exact: the answer is one of the references, as normalised text or as a number.

Nothing is parsed beyond a decimal number or a fraction of integers; for
mathematics use `math`.
"""

import re
import unicodedata
from fractions import Fraction
from itertools import groupby
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reward_service.extract import AnswerFrom, answer_text, find_spans
from reward_service.verdicts import Failure, Outcome, Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule

SHOWN = 200
"""Characters of an answer that are shown in details."""

_MARKS = 30  # longest run of combining marks brought to NFKC, which sorts it in quadratic time

_DECIMAL = re.compile(
    r"([-+]?)(\d{1,3}(?:,\d{3}){1,100}|\d{1,300})?(?:\.(\d{1,300}))?(?:[eE]([-+]?\d{1,3}))?"
)
_RATIO = re.compile(r"([-+]?\d{1,300})\s{0,4}/\s{0,4}(\d{1,300})")


class Exact(Rule):
    """`exact`: whether the answer equals a reference."""

    place: ClassVar[Place] = "inline"
    needs_ground_truth: ClassVar[bool] = True

    compare: Literal["text", "number"] = "text"
    """`text`: equal after Unicode normalisation (NFKC), with runs of blanks as one blank and
    without a final full stop. `number`: equal values: `1,234`, `1234.0` and `2468/2` are one."""
    ignore_case: bool = True
    """Whether `text` compares without regard to case."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest relative difference of `number`; 0 asks for the exact value."""
    extract: AnswerFrom = "auto"
    """Where the answer is; without box, block or stated answer `auto` takes all final text."""

    def __call__(self, attempt: Attempt) -> Outcome:
        """Compare with every reference; any one suffices."""
        answer = self._answer(attempt)
        if self.compare == "number":
            return self._compare_numbers(answer, attempt.ground_truth)
        wanted = {normalised(reference, self.ignore_case) for reference in attempt.ground_truth}
        if not all(wanted):
            return Failure("reference_empty", "reference", "a reference says nothing")
        if not answer:
            return Score(Verdict.NO_ANSWER, 0.0, "no_answer")
        details = {"extracted": answer[:SHOWN]}
        if normalised(answer, self.ignore_case) in wanted:
            return Score(Verdict.CORRECT, 1.0, "equal_text", details)
        return Score(Verdict.WRONG_ANSWER, 0.0, "different_text", details)

    def _answer(self, attempt: Attempt) -> str:
        spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
        answer = answer_text(attempt.completion, spans, self.extract)
        if answer is None and self.extract == "auto":
            answer = attempt.completion[spans.final :]
        return (answer or "").strip()

    def _compare_numbers(self, answer: str, references: tuple[str, ...]) -> Outcome:
        wanted = [number_of(reference) for reference in references]
        for reference, value in zip(references, wanted, strict=True):
            if value is None:
                message = f"not a number: {reference[:SHOWN]!r}"
                return Failure("reference_not_a_number", "reference", message)
        found = number_of(answer)
        details = {"extracted": answer[:SHOWN]}
        if not answer:
            return Score(Verdict.NO_ANSWER, 0.0, "no_answer")
        if found is None:
            return Score(Verdict.WRONG_ANSWER, 0.0, "not_a_number", details)
        if any(value is not None and self._is_close(found, value) for value in wanted):
            return Score(Verdict.CORRECT, 1.0, "equal_number", details)
        return Score(Verdict.WRONG_ANSWER, 0.0, "different_number", details)

    def _is_close(self, found: Fraction, wanted: Fraction) -> bool:
        return abs(found - wanted) <= Fraction(self.tolerance) * abs(wanted)


def normalised(text: str, ignore_case: bool = True) -> str:
    """The form in which two texts are compared."""
    text = " ".join(text.split())
    if not text.isascii() and not _has_long_run_of_marks(text):
        text = " ".join(unicodedata.normalize("NFKC", text).split())
    text = text.removesuffix(".")
    return text.casefold() if ignore_case else text


def _has_long_run_of_marks(text: str) -> bool:
    runs = groupby(map(unicodedata.combining, text), bool)
    return any(is_mark and sum(1 for _ in run) > _MARKS for is_mark, run in runs)


def number_of(text: str) -> Fraction | None:
    """The exact value of a plain number, or None. Currency signs, units and words are no number."""
    text = text.strip().strip("$").strip().removesuffix(".").replace("−", "-")
    ratio = _RATIO.fullmatch(text)
    if ratio is not None:
        return Fraction(int(ratio[1]), int(ratio[2])) if int(ratio[2]) else None
    decimal = _DECIMAL.fullmatch(text)
    if decimal is None or not (decimal[2] or decimal[3]):
        return None
    sign, whole, part, exponent = decimal.groups(default="")
    digits = whole.replace(",", "") + part
    value = int(digits) * Fraction(10) ** (int(exponent or 0) - len(part))
    return -value if sign == "-" else value
