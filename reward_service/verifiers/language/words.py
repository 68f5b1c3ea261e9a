"""
Text to units: which words there are, in which language, where.

Scripts other than Latin name their language directly. Chinese and Japanese have
no spaces, so their characters count by weight, such that a sentence weighs about
what its English translation does.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from reward_service.verifiers.language.frequent_words import FREQUENT_WORDS
from reward_service.verifiers.language.latin import (
    LATIN,
    SWITCH,
    doubts,
    is_symbol,
    label,
)
from reward_service.verifiers.language.neutral import BLANK, blank_neutral

_L = r"A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_HAN = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_KANA = r"\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_WORD = re.compile(rf"[{_L}]{{1,40}}+(?:['’][{_L}]{{1,20}}+)*")
_KANA_CHARACTER = re.compile(rf"[{_KANA}]")
_SCRIPTS = {
    "latin": _WORD.pattern,
    "cjk": rf"[{_HAN}{_KANA}]+",
    "ko": r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+",
    "ru": r"[\u0400-\u052f]+",
    "ar": r"[\u0610-\u061a\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u0750-\u077f"
    r"\ufb50-\ufdff\ufe70-\ufefc]+",
    "hi": r"[\u0900-\u0963\u0971-\u097f\u200c\u200d]+",
    "el": r"[\u0370-\u03ff\u1f00-\u1fff]{3,}",
    "he": r"[\u0590-\u05ff]+",
    "th": r"[\u0e00-\u0e4f]+",
    "other": rf"[^\W\d_{_L}\u0370-\u03ff\U0001d400-\U0001d7ff]{{3,}}",
}
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _SCRIPTS.items()))
_OTHER_SCRIPT = re.compile(r"[^\x00-\u02ff\u1e00-\u1eff\u2000-\u2e7f\u3000-\u3004\uff00-\uff20]")
_SENTENCE = re.compile(r"(?:[^.!?。！？।؟…\n]++|\.(?=\w))+")
_PART = re.compile(r".{1,4000}(?!\S)|.{1,4000}", re.DOTALL)  # bounds memory without full stops
_QUOTE = re.compile(
    r"\"[^\"\n]{1,80}\"|“[^”\n]{1,80}”|«[^»\n]{1,80}»|(?<!\w)'[^'\n]{1,40}'(?!\w)|「[^」\n]{1,40}」"
)

_PER_CHARACTER = {"zh": 1 / 1.6, "ja": 1 / 2.2, "th": 1 / 5}
"""Units a character counts. On parallel sentences 1.6 Chinese or 2.2 Japanese characters make one
English word, so that half a text in each language is a share of one half. Thai: letters a word."""

_JAPANESE_FROM = 0.15  # share of kana from which a sentence's Chinese characters are Japanese
_JOINERS = frozenset("_@/\\")
_OPENERS = _JOINERS | {"(", "["}  # a call, an index
_QUOTED_UNITS = 4  # longest quotation that is quoted matter rather than prose
_NAME_WORDS = 2  # longest run of capitalised words that is a name in a text of another script
_EXCUSED_UNITS, _EXCUSED_SHARE = 10, 0.2
"""Names and quotations are excused up to this many units or this share of the rest."""

_FORMULA_WORDS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "log", "ln", "exp", "lim", "max", "min", "mod", "gcd", "lcm",
    "det", "dim", "ker", "sup", "inf",
})  # fmt: skip


class Piece(NamedTuple):
    """A run of words in another language than the target; offsets into the text."""

    start: int
    end: int
    language: str
    units: float
    excused: bool


@dataclass(slots=True)
class Tally:
    """Units per language, and where the foreign ones are."""

    units: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    foreign: list[Piece] = field(default_factory=list)
    blanked: int = 0
    """Characters of formulas, code and the like."""

    @property
    def total(self) -> float:
        return sum(self.units.values())


def tally(text: str, target: str | None) -> Tally:
    """Count the units of `text`; without a target every sentence gets its likeliest language."""
    readable = blank_neutral(text)
    reader = _Reader(readable, target)
    for sentence in _SENTENCE.finditer(readable):
        for part in _PART.finditer(sentence.group()):
            reader.read(part.group(), sentence.start() + part.start())
    reader.settle_excuses()
    reader.tally.blanked = readable.count(BLANK)
    return reader.tally


class _Reader:
    """Collects the units of one text, sentence by sentence."""

    def __init__(self, readable: str, target: str | None) -> None:
        self.tally = Tally()
        self._target = target
        self._doubts = doubts(target) if target in LATIN else None
        self._quotes = [match.span() for match in _QUOTE.finditer(readable)]

    def read(self, sentence: str, offset: int) -> None:
        if self._doubts is not None and not _OTHER_SCRIPT.search(sentence):
            found = list(map(self._doubts.__getitem__, _WORD.findall(sentence)))
            if sum(found) < SWITCH:
                self.tally.units[self._target or ""] += len(found) - found.count(0.0)
                return
        self._read_closely(sentence, offset)

    def _read_closely(self, sentence: str, offset: int) -> None:
        tokens = list(_TOKEN.finditer(sentence))
        cjk = "".join(token.group() for token in tokens if token.lastgroup == "cjk")
        kana = len(_KANA_CHARACTER.findall(cjk))
        cjk_language = "ja" if kana >= _JAPANESE_FROM * max(1, len(cjk)) else "zh"
        run: list[re.Match[str]] = []
        for token in tokens:
            if token.lastgroup == "latin":
                run.append(token)
                continue
            if self._doubts is None:
                self._read_latin(run, sentence, offset)
                run = []
            language = cjk_language if token.lastgroup == "cjk" else token.lastgroup or "other"
            size = len(token.group())
            units = size * _PER_CHARACTER[language] if language in _PER_CHARACTER else 1.0
            self._add(language, units, (offset + token.start(), offset + token.end()))
        self._read_latin(run, sentence, offset)

    def _read_latin(self, run: list[re.Match[str]], sentence: str, offset: int) -> None:
        run = [token for token in run if not _is_formula(token, sentence)]
        if not run:
            return
        labels = label([token.group() for token in run], self._target)
        is_name = self._doubts is None and _is_name(run)
        for token, language in zip(run, labels, strict=True):
            self._add(language, 1.0, (offset + token.start(), offset + token.end()), is_name)

    def _add(
        self, language: str, units: float, span: tuple[int, int], is_name: bool = False
    ) -> None:
        if language == self._target or self._target is None:
            self.tally.units[language] += units
            return
        pieces = self.tally.foreign
        excused = is_name or self._in_quotation(span)
        if pieces:
            last = pieces[-1]
            if last.language == language and last.excused == excused and span[0] - last.end <= 3:
                pieces[-1] = last._replace(end=span[1], units=last.units + units)
                return
        pieces.append(Piece(*span, language, units, excused))

    def _in_quotation(self, span: tuple[int, int]) -> bool:
        at = bisect_right(self._quotes, (span[0], span[0])) - 1
        return at >= 0 and span[1] <= self._quotes[at][1]

    def settle_excuses(self) -> None:
        """Short quotations and names do not count, unless there are too many to be only that."""
        pieces = self.tally.foreign
        excused = [p for p in pieces if p.excused and p.units <= _QUOTED_UNITS]
        counted = [p for p in pieces if not (p.excused and p.units <= _QUOTED_UNITS)]
        rest = self.tally.total + sum(piece.units for piece in counted)
        budget = max(_EXCUSED_UNITS, _EXCUSED_SHARE * rest)
        if sum(piece.units for piece in excused) > budget:
            counted = pieces
        for piece in counted:
            self.tally.units[piece.language] += piece.units
        self.tally.foreign = counted


def _is_formula(token: re.Match[str], sentence: str) -> bool:
    """Points, variables, functions and identifiers: `AB`, `sin`, `x_hat`, `maxSum`, `a.add`."""
    word = token.group()
    if is_symbol(word) or word in _FORMULA_WORDS or not word[1:].islower():
        return not (word.isupper() and len(word) > 3)
    before = sentence[max(0, token.start() - 1) : token.start()]
    after = sentence[token.end() : token.end() + 2]
    if before in _JOINERS or before == "[" or before.isdigit():
        return True
    return (
        after[:1] in _OPENERS or after[:1].isdigit() or (after[:1] == "." and after[1:].isalnum())
    )


def _is_name(run: list[re.Match[str]]) -> bool:
    words = [token.group() for token in run]
    return len(words) <= _NAME_WORDS and all(
        word[0].isupper() and word.lower() not in FREQUENT_WORDS["en"] for word in words
    )
