"""
Text to tokens: one regular expression, no guessing.

A run of letters that is no known name becomes single letters, as TeX reads it,
if it is short, and a `word` if it is long. Words make an expression unreadable,
so prose never turns into a product of variables.
"""

import re
from dataclasses import dataclass

from reward_service.verifiers.math.tree import Unreadable
from reward_service.verifiers.math.vocabulary import (
    FUNCTIONS,
    PLAIN_FUNCTIONS,
    PLAIN_SYMBOLS,
    SPELLINGS,
)

MAX_TOKENS = 4096
"""The longest honest answer in the labelled corpora has under 400."""

_LONGEST_PRODUCT = 3  # letters: xyz is a product, area is a word
_TEXT = r"\\(?:text|mathrm|textbf|textit|textrm|textnormal|mbox|hbox|operatorname\*?|textsc|mathbb)"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>{_TEXT}\s*\{{(?P<inner>[^{{}}]*)\}})
    | (?P<env>\\(?:begin|end)\s*\{{(?P<name>[a-zA-Z]+)\*?\}}(?:\s*\{{[clr|\s]*\}})?)
    | (?P<cmd>\\(?:[a-zA-Z]+|.))
    | (?P<num>(?:\d+(?:\.\d+|\.(?=\\(?:overline|bar|dot)))?|\.\d+)(?:[eE][+-]?\d+(?![\w^.]))?)
    | (?P<letters>[A-Za-z]+)
    | (?P<sign><=|>=|!=|==|\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?")
_DEEPER = frozenset({"(", "[", "\\{"})
_SHALLOWER = frozenset({")", "]", "\\}"})
_JOINING = frozenset({"and", "or"})


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is num, id, cmd, func, sym, text, env, join, word or sign; `start` its offset."""

    kind: str
    text: str
    start: int
    spaced: bool
    """Whether a blank stands before it."""


def tokenize(text: str, *, thousands: bool = True) -> list[Token]:
    """Tokens of cleaned `text`. With `thousands`, `1,234` outside brackets is one number."""
    tokens: list[Token] = []
    position = depth = 0
    size = len(text.rstrip())
    while position < size:
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable("unknown_character")
        kind = match.lastgroup or "sign"
        start, position = match.start(kind if kind not in ("inner", "name") else 0), match.end()
        if match["num"] and thousands and depth == 0:
            grouped = _THOUSANDS.match(text, match.start("num"))
            if grouped is not None and text[grouped.start() - 1 : grouped.start()] != ",":
                position = grouped.end()
                tokens.append(
                    Token(
                        "num", grouped[0].replace(",", ""), grouped.start(), start > match.start()
                    )
                )
                continue
        tokens += _tokens_of(match)
        depth += (tokens[-1].text in _DEEPER) - (tokens[-1].text in _SHALLOWER)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too_many_tokens", is_final=True)
    return tokens


def _tokens_of(match: re.Match[str]) -> list[Token]:
    token = match[0].lstrip()
    start = match.end() - len(token)
    spaced = start > match.start()
    if match["letters"]:
        return _letters(token, start, spaced)
    if match["text"]:
        return [_text(match["inner"], token, start, spaced)]
    if match["env"]:
        return [
            Token(
                "env", ("begin " if "begin" in token[:6] else "end ") + match["name"], start, spaced
            )
        ]
    if match["cmd"]:
        return [_command(token, start, spaced)]
    return [Token("num" if match["num"] else "sign", token, start, spaced)]


def _command(token: str, start: int, spaced: bool) -> Token:
    if token in ("\\lor", "\\vee"):
        return Token("join", "or", start, spaced)
    if token in ("\\land", "\\wedge"):
        return Token("join", "and", start, spaced)
    return Token("cmd", token, start, spaced)


def _text(inner: str, token: str, start: int, spaced: bool) -> Token:
    word = inner.strip()
    if token.startswith("\\mathbb"):
        return Token("id", f"𝔹{word}", start, spaced)
    if word.lower() in _JOINING:
        return Token("join", word.lower(), start, spaced)
    is_operator = token.startswith("\\operatorname")
    if word in PLAIN_FUNCTIONS or (is_operator and (word in FUNCTIONS or word in SPELLINGS)):
        return Token("func", word, start, spaced)
    if len(word) == 1 and word.isalnum():
        return Token("num" if word.isdigit() else "id", word, start, spaced)
    if word.replace(".", "", 1).isdigit() and word.isascii():
        return Token("num", word, start, spaced)
    return Token("text", word, start, spaced)


def _letters(run: str, start: int, spaced: bool) -> list[Token]:
    if run in PLAIN_FUNCTIONS:
        return [Token("func", run, start, spaced)]
    if run in PLAIN_SYMBOLS:
        return [Token("sym", PLAIN_SYMBOLS[run], start, spaced)]
    if run.lower() in _JOINING:
        return [Token("join", run.lower(), start, spaced)]
    if len(run) > _LONGEST_PRODUCT:
        return [Token("word", run, start, spaced)]
    return [Token("id", c, start + k, spaced and k == 0) for k, c in enumerate(run)]
