"""
Math-Verify, for the pairs that our own grader leaves undecided.

It runs with its own alarms off (they work in main threads only and make the
verdict depend on the machine's load): whoever calls this in a service does so
in a process that can be killed. It never sees text that could be code, and
what it is known to accept wrongly is refused before it is asked.
"""

import logging
import re
from collections import Counter
from functools import lru_cache
from typing import Any

from reward_service.verifiers.math.decision import Decision, different, equal, undecided
from reward_service.verifiers.math.vocabulary import PLAIN_FUNCTIONS, PLAIN_SYMBOLS

_MAX_CHARACTERS = 300
_MAX_EXPRESSION = 40  # characters of what was read but not decided: simplify is slow on these
_CODE = re.compile(r"__|[\"`;@#]|\b(?:import|lambda|eval|exec|open|print|raise|return)\b|\w\(\s*'")
_CANDIDATES = re.compile(r"\\(?:lor|vee)\b|\bor\b|\bbut\b|\bmaybe\b|\beither\b", re.IGNORECASE)
_IMPLIES = re.compile(r"\\(?:to|(?:long)?rightarrow|(?:Long)?[Rr]ightarrow|implies|iff)\b|[→⇒⇔]|=>")
_HEAVY = re.compile(
    r"\\(?:sum|prod|i*int|oint|lim|d?binom|Gamma|zeta|det|partial)(?![a-z])|!|\d{16}"
    r"|\^\s*\{?\s*[-(]?\s*\d{3}|\^[^^]{0,40}\^|\^\s*\{[^{}]*[{\\!]"
    r"|\)\s*(?:\^\s*\{?\s*\d{2}|!)|(?:\\\{\s*){4}"
)
"""What can make sympy work for minutes: an answer may have none that the reference has not."""
_LAYOUT = str.maketrans("", "", " {}")

_WORDS = re.compile(
    rf"(?<![\\A-Za-z])(?!(?:{'|'.join(sorted(PLAIN_FUNCTIONS | set(PLAIN_SYMBOLS)))})(?![A-Za-z]))"
    r"[A-Za-z]{3,}"
)
_WRAPPER = re.compile(r"\\(?:text|mathrm|textbf|textit|mbox|operatorname)\s*\{([^{}]*)\}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_EQUALS = re.compile(r"(?<![<>!:])=|\\approx(?![a-z])|≈|\\simeq(?![a-z])")


def warm() -> None:
    """Import Math-Verify and build its grammar's tables, so that forked children have them."""
    for text in (r"\frac{1}{2}", r"x^2+1", "(1,2]", r"\{1,2\}", "x=1"):
        compare(text, text)


def refuse(gold: str, pred: str, *, is_expression: bool) -> Decision | None:
    """What Math-Verify must not be asked about, with the verdict such a pair has.

    `is_expression`: both were read as expressions, and could not be evaluated.
    """
    if is_expression and len(pred) > max(_MAX_EXPRESSION, len(gold)):
        return different("too_large_to_compare", "form")
    if _CODE.search(pred) and not _CODE.search(gold):
        return different("code_characters", "form")
    if len(pred) > _MAX_CHARACTERS or _heavy_parts(pred) - _heavy_parts(gold):
        return different("too_large_to_compare", "form")
    if _WORDS.search(_unwrapped(pred)) and not _WORDS.search(_unwrapped(gold)):
        return different("words_beside_answer", "form")
    if _CANDIDATES.search(pred) and not (_CANDIDATES.search(gold) or "," in gold):
        return different("several_candidates", "form")
    if _IMPLIES.search(pred) and not _IMPLIES.search(gold):
        return different("implication", "form")
    sides = [side.strip(" $") for side in _EQUALS.split(pred)]
    numbers = {float(side) for side in sides if _NUMBER.fullmatch(side)}
    return different("false_equation_chain", "form") if len(numbers) > 1 else None


def _heavy_parts(text: str) -> Counter[str]:
    return Counter(part.translate(_LAYOUT) for part in _HEAVY.findall(text))


def _unwrapped(text: str) -> str:
    """Math-Verify drops words that it does not know, so words are looked for here."""
    return _WRAPPER.sub(r" \1 ", text)


def compare(gold: str, pred: str) -> Decision:
    """Ask Math-Verify; both are LaTeX without dollars. Raises what Math-Verify raises."""
    from math_verify import verify

    gold_parsed, pred_parsed = _parse(gold), _parse(pred)
    if not gold_parsed or not pred_parsed:
        return undecided("math_verify_cannot_parse", "fallback")
    same = verify(list(gold_parsed), list(pred_parsed), timeout_seconds=None, raise_on_error=True)
    answer = equal if same else different
    return answer("math_verify_equal" if same else "math_verify_different", "fallback")


@lru_cache(maxsize=512)
def _parse(text: str) -> tuple[Any, ...]:
    from math_verify import LatexExtractionConfig, parse

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its alarms are off
    # The second extractor of Math-Verify evaluates Python expressions; only LaTeX is read here.
    found = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=None)
    return tuple(found)
