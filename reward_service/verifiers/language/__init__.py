"""
Language: how much of the thought is in the asked-for language.

R1's reward is the share of target-language words in the chain of thought. Here
formulas, code, numbers and names belong to no language; every other word counts
where it stands, so that a text that changes language in the middle of a sentence
gets the share it deserves.
"""

from heapq import nlargest
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from reward_service.extract import find_spans
from reward_service.verdicts import Failure, Outcome, Score, Skip, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.language.latin import detector
from reward_service.verifiers.language.words import Tally, tally

Code = Literal["ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "pt", "ru", "zh"]
"""Languages that can be a target, ISO 639-1."""

PASSES_FROM = 0.95
"""Share from which the verdict is `correct` while the score is the raw share."""

_CODES = frozenset(get_args(Code))
_SPANS_SHOWN = 8
_PROMPT_CLEAR_FROM = 0.6  # least share of a prompt's leading language that makes it the target
_MOSTLY_NEUTRAL = 0.8


class Language(Rule):
    """`language`: share of target-language words in the thought (R1's language consistency)."""

    place: ClassVar[Place] = "pool"

    target: Code | Literal["prompt"] = "prompt"
    """ISO 639-1 code, or `prompt`: the language most of the prompt is in. Never taken from the
    completion. Chinese means either script; Russian any Cyrillic, Arabic any Arabic, Hindi any
    Devanagari text."""
    scope: Literal["thought", "completion"] = "thought"
    """What is read. A completion without thought tags is read whole, so dropping the tags is no
    way out of the rule."""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """When given the score is 1 from this share on and 0 below; else it is the share itself."""
    min_units: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Below so many words the component is skipped: too little to tell a language."""

    @classmethod
    def warm_up(cls) -> None:
        """Load the models of the Latin-script languages."""
        detector()

    def __call__(self, attempt: Attempt) -> Outcome:
        """Score the share of target units over all units."""
        if self.target != "prompt":
            return self._judge(attempt, self.target)
        if attempt.prompt is None:
            return Failure("no_prompt", "reference", "target `prompt` needs the task's prompt")
        target = prompt_language(attempt.prompt)
        return Skip("prompt_language_unclear") if target is None else self._judge(attempt, target)

    def _judge(self, attempt: Attempt, target: str) -> Outcome:
        start, end = self._span(attempt)
        found = tally(attempt.completion[start:end], target)
        units = found.total
        if not attempt.completion.strip():
            return Score(Verdict.NO_ANSWER, 0.0, "empty_completion", {"target": target})
        share = round(found.units[target] / units, 4) if units else 0.0
        details = _details(found, target, start, end)
        if units < self.min_units:
            return Skip("too_little_text", details)
        passed = share >= (PASSES_FROM if self.threshold is None else self.threshold)
        value = share if self.threshold is None else float(passed)
        verdict = Verdict.CORRECT if passed else Verdict.FORMAT_ERROR
        neutral = found.blanked > _MOSTLY_NEUTRAL * max(1, end - start)
        flags = ("mostly_neutral",) if neutral else ()
        reason = "target_language" if passed else "mixed_language"
        return Score(verdict, value, reason, {"share": share, **details}, flags)

    def _span(self, attempt: Attempt) -> tuple[int, int]:
        if self.scope == "thought":
            spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
            if spans.thought is not None:
                return spans.thought
        return 0, len(attempt.completion)


def prompt_language(prompt: str) -> str | None:
    """The language most of `prompt` is in; None for a prompt of formulas or an even mix."""
    found = tally(prompt, None)
    known = {code: count for code, count in found.units.items() if code in _CODES}
    if not known:
        return None
    best = max(sorted(known), key=known.__getitem__)
    return best if known[best] >= _PROMPT_CLEAR_FROM * found.total else None


def _details(found: Tally, target: str, start: int, end: int) -> dict[str, Any]:
    foreign = nlargest(_SPANS_SHOWN, found.foreign, key=lambda piece: (piece.units, -piece.start))
    return {
        "target": target,
        "units": round(found.total, 2),
        "words": {code: round(count, 2) for code, count in sorted(found.units.items())},
        "neutral_share": round(found.blanked / max(1, end - start), 4),
        "foreign": [
            {"language": piece.language, "start": start + piece.start, "end": start + piece.end}
            for piece in foreign
        ],
    }
