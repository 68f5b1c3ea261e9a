"""
Text to a read answer: cleaned, freed of its unit, parsed; or words, where it is prose.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from flint import fmpq

from reward_service.verifiers.math.answers import parse_answer
from reward_service.verifiers.math.clean import clean
from reward_service.verifiers.math.tree import (
    Based,
    Node,
    Num,
    Op,
    Quantity,
    Relation,
    SetOf,
    Sym,
    Text,
    Unreadable,
)
from reward_service.verifiers.math.units import Suffix, split_unit

_BASED = re.compile(
    r"\(?([0-9A-Za-z]+)\)?(?:_\s*\{\s*(?:\\text\s*\{\s*(?:base)?\s*\}?)?\s*(\d+)[\s}]*\}"
    r"|_\s*(\d{1,2})|\s*\(?(?:\\text\s*\{\s*)?\(?base\s*\}?\s*(\d+)[\s})]*)"
)
_MARKUP = re.compile(r"\\(?:text|mathrm|textbf|textit|textrm|mbox|operatorname|mathbf|rm)\s*(?=\{)")
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{4,}|\\text|\\mbox|\\mathrm|\\textbf|\\textit")
_FORMULA = re.compile(r"[\d=<>^_+*/|\\]")
_LEAD = re.compile(
    r"(?:\\text\s*\{\s*)?(?:the\s+)?(?:final\s+)?answer\s*(?:is|:|=)\s*[}:]?\s*|(?:\\approx|=|:)\s*",
    re.IGNORECASE,
)
_NUMBER_IN_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*\d[^{}]*)\}")
_PHRASES: tuple[tuple[re.Pattern[str], Node], ...] = (
    (
        re.compile(
            r"(?:there (?:is|are) )?no (?:real |such )?(?:solutions?|values?|roots?)(?: exists?)?"
            r"|(?:the )?empty set",
            re.IGNORECASE,
        ),
        SetOf(()),
    ),
    (re.compile(r"(?:the set of )?(?:all )?(?:the )?real numbers|all reals", re.I), Sym("𝔹R")),
    (re.compile(r"(?:positive )?infinity", re.I), Sym("oo")),
    (re.compile(r"DNE|(?:does not|doesn't) exist|undefined|not defined", re.I), Text("undefined")),
)
_CAPITALS = re.compile(r"[A-Z]{2,}")
_SHORT_WORDS = frozenset(
    ("no", "yes", "odd", "one", "two", "six", "ten", "not", "any", "all", "up", "low", "red")
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A read answer: its tree, and its words for comparison as text."""

    node: Node
    text: str
    words: str


@lru_cache(maxsize=8192)
def read(
    text: str, *, is_reference: bool = False, thousands: bool = True, unit: str = ""
) -> Reading:
    """Read an answer; raises Unreadable. `unit` is the reference's, which an answer may repeat."""
    text = _without_lead(clean(text))
    inside = _NUMBER_IN_TEXT.fullmatch(text)
    text = inside[1].strip() if inside else text
    while text.startswith("{") and text.endswith("}") and _wraps(text) and "," not in text:
        text = text[1:-1].strip()
    if not text or not text.strip("{}()[]\\ "):
        if text.replace(" ", "") == "\\{\\}":
            return Reading(SetOf(()), text, text)
        raise Unreadable("empty_answer", is_final=True)
    words = words_of(text)
    for phrase, node in _PHRASES:
        if phrase.fullmatch(words):
            return Reading(node, text, words)
    if _CAPITALS.fullmatch(words) or words.lower() in _SHORT_WORDS:
        return Reading(Text(words), text, words)
    body, suffix = split_unit(text, is_reference=is_reference, unit=unit)
    node = _node(body, words, thousands=thousands)
    if suffix is not None and not isinstance(node, Text):
        node = _with_suffix(node, suffix)
    return Reading(node, text, words)


def _node(text: str, words: str, *, thousands: bool) -> Node:
    based = _BASED.fullmatch(text)
    if based and _is_based(based[1], base := int(based[2] or based[3] or based[4])):
        return Based(based[1].upper(), base)
    try:
        return parse_answer(text, thousands=thousands)
    except Unreadable as error:
        has_words = bool(_WORD.search(text)) and error.reason != "too_deep"
        if has_words and not (error.is_final and error.reason != "adjacent_numbers"):
            return Text(words, has_math=bool(_FORMULA.search(_MARKUP.sub("", text))))
        raise


def _without_lead(text: str) -> str:
    lead = _LEAD.match(text)
    return (text[lead.end() :] if lead else text).strip("* ")


def _is_based(digits: str, base: int) -> bool:
    if not 2 <= base <= 36 or not any(c.isdigit() for c in digits):
        return False
    return all(c.isalnum() and int(c, 36) < base for c in digits)


def _with_suffix(node: Node, suffix: Suffix) -> Node:
    if isinstance(node, Relation) and node.signs[-1] in ("=", "≈"):
        return Relation(node.signs, (*node.sides[:-1], _with_suffix(node.sides[-1], suffix)))
    if suffix.name in ("percent", "degree") and isinstance(node, Num | Sym | Op):
        return Op("deg" if suffix.name == "degree" else "percent", (node,))
    if suffix.name == "multiplier" and isinstance(node, Num | Sym | Op):
        return Op("*", (node, Num(fmpq(suffix.factor), str(suffix.factor))))
    return Quantity(node, suffix.name)


def words_of(text: str) -> str:
    """The bare words of an answer, without markup and punctuation around them."""
    text = clean(text)
    plain = _MARKUP.sub("", text).replace("{", " ").replace("}", " ").replace("\\", " ")
    return " ".join(plain.split()).strip(" .,;:!?*\"'")


def _wraps(text: str) -> bool:
    level = 0
    for place, character in enumerate(text):
        level += (character == "{") - (character == "}")
        if level == 0:
            return place == len(text) - 1
    return False
