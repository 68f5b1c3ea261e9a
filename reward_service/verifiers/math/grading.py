"""
From two texts to a decision: read, compare, and ask the fallback only where that left it open.
"""

import re
from functools import lru_cache

from reward_service.verifiers.math import fallback
from reward_service.verifiers.math.clean import clean
from reward_service.verifiers.math.compare import compare
from reward_service.verifiers.math.decision import (
    Answer,
    Decision,
    UnreadableReference,
    different,
    equal,
    undecided,
)
from reward_service.verifiers.math.policy import Policy
from reward_service.verifiers.math.reading import Reading, read, words_of
from reward_service.verifiers.math.tree import Num, Op, Quantity, Seq, Sym, Text, Unreadable

MAX_REFERENCE = 4096
"""Characters of a reference."""

_CHOICE = re.compile(r"\(?\s*([A-J])\s*[).:]?", re.IGNORECASE)
_CHOICE_WITH_VALUE = re.compile(r"\(?([A-J])[).:]+\s*(\S.*)")
_LONE_CHOICE = re.compile(r"\b[A-J]\b")
_ARTICLE = re.compile(r"^(?:the|a|an)\s+")
_DECIMAL_COMMA = re.compile(r"(?<![\d,])(\d*),(\d+)(?![\d,])")
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_BLANKS = re.compile(r"(?<!\d) +| +(?!\d)")
_GROUPED = re.compile(r"\d,\d{3}")
_ZEROS = re.compile(r",0\d")  # begins a group of three digits, never a number of a list
_BROKEN = re.compile(r"[-+*/^_=<>,:(\[{]\s*$|^\s*[*/^_=<>,:)\]}]|\{\s*\}")
_SAYS_SOMETHING = re.compile(r"[^\W_]")
_HEDGE = re.compile(
    r"\b(?:or|but|maybe|either|perhaps|possibly|not|unsure|guess|wrong|if|alternatively)\b", re.I
)


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
    decision = _decide(gold, pred, policy)
    if not decision.is_equal and len(boxes) > 1 and _is_list(gold):
        joined = _decide(gold, ", ".join(boxes), policy)
        decision = joined if joined.is_equal else decision
    return decision


@lru_cache(maxsize=2048)
def check_reference(gold: str) -> None:
    """Raise UnreadableReference where `gold` cannot be graded against: it must equal itself."""
    if not gold.strip() or len(gold) > MAX_REFERENCE:
        raise UnreadableReference(
            f"the reference is empty or longer than {MAX_REFERENCE} characters"
        )
    if _INTEGER.fullmatch(gold):
        return
    try:
        reading = read(gold, is_reference=True)
    except Unreadable as error:
        if error.reason == "empty_answer" or _breaks_off(gold):
            raise UnreadableReference("the reference says nothing, or breaks off") from error
        text = gold.strip().strip("$")
        if not fallback.compare(text, text).is_equal:
            raise UnreadableReference(f"the reference cannot be read: {error.reason}") from error
        return
    if not isinstance(reading.node, Text):
        found = compare(reading.node, reading.node, Policy())
        if not found.is_equal:
            raise UnreadableReference(f"the reference does not equal itself: {found.reason}")


def _breaks_off(gold: str) -> bool:
    """Whether something is missing at an end; Math-Verify would drop what is there."""
    pairs = (("{", "}"), ("(", ")"), ("[", "]"))
    is_open = any(gold.count(left) != gold.count(right) for left, right in pairs)
    return is_open or bool(_BROKEN.search(gold)) or not _SAYS_SOMETHING.search(gold)


def clear_caches() -> None:
    """Forget every decision and reading; for measurements."""
    for cached in (check_reference, _decide, read):
        cached.cache_clear()


@lru_cache(maxsize=8192)
def _decide(gold: str, pred: str, policy: Policy) -> Decision:
    gold, pred = gold.strip(), pred.strip()
    if gold == pred:
        return equal("same_text", "text")
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(pred):
        same = int(gold) == int(pred)
        return (equal if same else different)(
            "equal_rational" if same else "different_rational", "exact"
        )
    found = _own_decision(gold, pred, policy)
    if not found.is_equal and policy.decimal_comma and _DECIMAL_COMMA.search(gold + " " + pred):
        found = _own_decision(_with_points(gold), _with_points(pred), policy)
    if found.answer is not Answer.UNDECIDED:
        return found
    if _squeezed(gold) == _squeezed(pred):
        return equal("same_text", "text")
    is_expression = found.stage in ("identity", "numeric")
    refused = fallback.refuse(gold, pred, is_expression=is_expression)
    return refused or fallback.compare(gold, pred)


def _squeezed(text: str) -> str:
    """Without layout and blanks, except blanks between digits."""
    return _BLANKS.sub("", clean(text))


def _with_points(text: str) -> str:
    return _DECIMAL_COMMA.sub(r"\1.\2", text)


def _own_decision(gold: str, pred: str, policy: Policy) -> Decision:
    try:
        left = read(gold, is_reference=True)
    except Unreadable as error:
        return undecided(error.reason, "reference")
    choice = _choice(left)
    chosen = None if choice is None else _compare_choice(choice, words_of(pred), policy)
    if chosen is not None:
        return chosen
    try:
        right = read(pred, unit=left.node.unit if isinstance(left.node, Quantity) else "")
    except Unreadable as error:
        return different(error.reason, "form") if error.is_final else _unread(left)
    found = _words(left, right, policy) or compare(left.node, right.node, policy)
    grouped = _GROUPED.search(pred) or _GROUPED.search(gold)
    if not found.is_equal and grouped and not _ZEROS.search(f"{gold} {pred}"):
        return _ungrouped(gold, pred, policy) or found
    return found


def _unread(gold: Reading) -> Decision:
    if isinstance(gold.node, Text) and not gold.node.has_math:
        return different("words_differ", "text")
    return undecided("answer_unreadable", "form")


def _ungrouped(gold: str, pred: str, policy: Policy) -> Decision | None:
    """`1,234` once more, as a list: equal only if both sides are lists then."""
    try:
        left, right = (
            read(text, is_reference=is_gold, thousands=False)
            for text, is_gold in ((gold, True), (pred, False))
        )
    except Unreadable:
        return None
    if not isinstance(left.node, Seq) or not isinstance(right.node, Seq):
        return None
    found = compare(left.node, right.node, policy)
    return found if found.is_equal else None


def _is_list(gold: str) -> bool:
    try:
        return not isinstance(read(gold, is_reference=True).node, Num | Sym | Op)
    except Unreadable:
        return False


def _words(gold: Reading, pred: Reading, policy: Policy) -> Decision | None:
    """Compare as words; None where the two are to be compared as mathematics."""
    is_text = isinstance(gold.node, Text), isinstance(pred.node, Text)
    if not any(is_text):
        return None
    left, right = _plain(gold, policy), _plain(pred, policy)
    if left == right:
        return equal("same_words", "text")
    if any(isinstance(side.node, Text) and side.node.has_math for side in (gold, pred)):
        if _HEDGE.search(pred.words) and not _HEDGE.search(gold.words):
            return different("hedged", "text")
        return undecided("words_and_formulas", "text")
    return different("words_differ", "text")


def _plain(reading: Reading, policy: Policy) -> str:
    words = reading.node.words if isinstance(reading.node, Text) else reading.words
    words = words if policy.case_sensitive else words.casefold()
    return _ARTICLE.sub("", words.replace(" ,", ",").replace(", ", ","))


def _choice(gold: Reading) -> str | None:
    """The letter of a multiple-choice reference, `C` or `(C)`."""
    found = _CHOICE.fullmatch(gold.words)
    return found[1] if found and found[1].isupper() else None


def _compare_choice(choice: str, answer: str, policy: Policy) -> Decision | None:
    """None where the answer is neither a letter nor a letter with its value."""
    found = _CHOICE.fullmatch(answer)
    if found is None:
        found = _CHOICE_WITH_VALUE.fullmatch(answer)
        if found is None or _HEDGE.search(found[2]) or _LONE_CHOICE.search(found[2]):
            return None
    same = (found[1] if policy.case_sensitive else found[1].upper()) == choice
    return (equal if same else different)("same_choice" if same else "other_choice", "text")
