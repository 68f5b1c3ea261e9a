"""
Characters and strings that disguise a completion's structure.

Look-alikes of a tag never count as the tag. They break the rule where they can
only be meant as one; `<Answer>` is left alone, since `List<Answer>` is honest.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple


class Finding(NamedTuple):
    """One departure from the contract: a stable code, and the character offset where it is."""

    code: str
    offset: int


_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
"""Terminal control, bidirectional overrides, and the tag characters that carry hidden text."""

_SPECIAL = re.compile(r"<[|｜][\w▁ ]{1,48}[|｜]>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")
"""Tokens of chat templates: a completion that holds one plays a second turn."""

_GAP = "[\\s\x00]{0,4}"
_INVISIBLE = (0xAD, 0x34F, 0x115F, 0x1160, 0x180E, *range(0x200B, 0x2010), 0x2060, 0x2063, 0xFEFF)
_HOMOGLYPHS = {
    "a": "аɑαᴀ",
    "e": "еєҽᴇ",
    "h": "һʜհ",
    "i": "іıɪι",
    "k": "кκᴋ",
    "n": "пոɴη",
    "r": "гᴦʀ",
    "s": "ѕꜱ",
    "t": "тτᴛ",
    "w": "ѡԝωᴡ",
    "<": "‹〈⟨《«≺❮˂",
    ">": "›〉⟩》»≻❯˃",
    "/": "∕⁄⧸╱\\",
}


def _folding() -> dict[int, str]:
    """One character for one, so that offsets in folded text are offsets in the original."""
    table = dict.fromkeys(_INVISIBLE, "\x00")
    for code in (*range(0x24B6, 0x24EA), *range(0xFE50, 0xFF5F), *range(0x1D400, 0x1D800)):
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain.isascii():
            table[code] = plain
    for plain, glyphs in _HOMOGLYPHS.items():
        table.update(dict.fromkeys(map(ord, glyphs), plain))
        table.update(dict.fromkeys(map(ord, glyphs.upper()), plain) if plain.isalpha() else {})
    return table


_FOLDING = _folding()


def disguises(text: str, names: frozenset[str]) -> Iterator[Finding]:
    """Every control character, chat-template token and look-alike of the tags called `names`."""
    for match in _CONTROL.finditer(text):
        yield Finding("control_character", match.start())
    for match in _SPECIAL.finditer(text):
        yield Finding("special_token", match.start())
    if not names:
        return
    exact = {f"</{name}>" for name in names}
    for match in _near_tags(names).finditer(text.translate(_FOLDING)):
        original = text[match.start() : match.end()]
        honest = original in exact or original.lower() == f"<{match[1].lower()}>"
        if not honest:
            yield Finding("lookalike_tag", match.start())


@lru_cache(maxsize=64)
def _near_tags(names: frozenset[str]) -> re.Pattern[str]:
    """Matches tags however they are spaced, cased, escaped or given attributes; exact ones too."""
    spaced = "|".join(_GAP.join(map(re.escape, name)) for name in sorted(names))
    less, more = "(?:<|&lt;|&#60;|&#x3c;)", "(?:>|&gt;|&#62;|&#x3e;)"
    attributes = r"(?:\s[^<>\n]{0,64}?)?"
    return re.compile(
        f"{less}{_GAP}/?{_GAP}({spaced}){attributes}{_GAP}/?{_GAP}{more}", re.IGNORECASE
    )
