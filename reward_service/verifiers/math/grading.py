"""From two texts to a decision."""

from functools import lru_cache

from reward_service.verifiers.math import fallback
from reward_service.verifiers.math.decision import (
    Decision,
    UnreadableReference,
    different,
    equal,
)
from reward_service.verifiers.math.policy import Policy

MAX_GOLD = 4096


def verify(gold: str, pred: str, **policy: object) -> Decision:
    """Compare an answer with a reference; keyword arguments are `Policy` fields.

    Works in any thread, in async code and after a fork; sets no signal. Raises
    UnreadableReference, and whatever Math-Verify raises on a pair left to it.
    """
    return grade(gold, pred, Policy.model_validate(policy))


def grade(gold: str, pred: str | None, policy: Policy, *, boxes: tuple[str, ...] = ()) -> Decision:
    """Decide on `pred`; `boxes` are the boxes of its line, for references that are lists."""
    check_reference(gold)
    if pred is None:
        return different("no_answer", "form")
    decision = _compare(_strip(gold), _strip(pred))
    if not decision.is_equal and len(boxes) > 1:
        joined = _compare(_strip(gold), _strip(", ".join(boxes)))
        decision = joined if joined.is_equal else decision
    return decision


def _compare(gold: str, pred: str) -> Decision:
    if gold == pred:
        return equal("same_text", "text")
    return fallback.refuse(gold, pred) or fallback.compare(gold, pred)


@lru_cache(maxsize=2048)
def check_reference(gold: str) -> None:
    """Raise UnreadableReference where `gold` cannot be graded against."""
    text = _strip(gold)
    if not text or len(gold) > MAX_GOLD:
        raise UnreadableReference("the reference is empty or longer than 4,096 characters")
    if not fallback.compare(text, text).is_equal:
        raise UnreadableReference("the reference does not equal itself")


def _strip(text: str) -> str:
    text = text.strip().strip("$").strip()
    if text.startswith(("\\boxed{", "\\fbox{")) and text.endswith("}"):
        return _strip(text[text.index("{") + 1 : -1])
    return text
