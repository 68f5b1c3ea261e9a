"""
Tokens of C-like languages: enough to find declarations, not to understand programs.

Comments and preprocessor lines are dropped. Text that is not well formed makes odd tokens, and
odd tokens make no declaration.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SKIP = r"\s+|//[^\n]*|/\*.*?(?:\*/|\Z)"
_NAME = r"|(?P<name>[A-Za-z_$][\w$]*)"
_NUMBER = r"|(?P<number>\.?[0-9](?:[eEpP][+-]|'[0-9A-Za-z]|[\w.])*)"
_STRING = r'"(?:[^"\\\n]|\\.)*"?'
_CHARACTER = r"'(?:[^'\\\n]|\\.[^'\n]{0,10})'"

# Each alternative goes on to the end of the text where its own end is missing: no text takes
# longer than its length.
_PATTERNS: Mapping[str, str] = {
    "cpp": (
        rf"(?P<skip>{_SKIP}|\#(?:\\\n|[^\n])*)"
        r'|(?P<text>(?:u8|[uUL])?R"(?P<raw>[^()\\\s"]{0,16})\(.*?(?:\)(?P=raw)"|\Z)'
        rf"|(?:u8|[uUL])?(?:{_STRING}|'(?:[^'\\\n]|\\.)+'?))"
        rf"{_NAME}{_NUMBER}|(?P<mark>::|->|&&|\|\||==|\.\.\.|.)"
    ),
    "java": (
        rf"(?P<skip>{_SKIP})"
        rf'|(?P<text>"""(?:[^\\]|\\.)*?(?:"""|\Z)|{_STRING}|{_CHARACTER})'
        rf"{_NAME}{_NUMBER}|(?P<mark>::|->|&&|\|\||==|\.\.\.|.)"
    ),
    "go": (
        rf"(?P<skip>{_SKIP})"
        rf"|(?P<text>`[^`]*`?|{_STRING}|{_CHARACTER})"
        rf"{_NAME}{_NUMBER}|(?P<mark>.)"
    ),
    "rust": (
        rf"(?P<skip>{_SKIP})"
        r'|(?P<text>b?r(?P<raw>\#*)".*?(?:"(?P=raw)|\Z)'
        rf'|b?"(?:[^"\\]|\\.)*"?|b?{_CHARACTER})'
        rf"|(?P<lifetime>'[A-Za-z_]\w*){_NAME}{_NUMBER}|(?P<mark>::|->|=>|&&|\|\||==|.)"
    ),
}
_COMPILED = {name: re.compile(pattern, re.DOTALL | re.ASCII) for name, pattern in _PATTERNS.items()}

OPENING = {"(": ")", "[": "]", "{": "}"}


class NotThis(Exception):
    """The tokens are not what a reader looked for."""


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, number, text, lifetime or mark."""

    kind: str
    text: str
    at: int
    """Where it begins in the source."""


def tokenize(source: str, language: str) -> list[Token]:
    """The tokens of a text."""
    matches = _COMPILED[language].finditer(source)
    return [
        Token(match.lastgroup or "", match[0], match.start())
        for match in matches
        if match["skip"] is None
    ]


class Cursor:
    """Reads tokens one after the other; NotThis when they are not what was asked for."""

    def __init__(self, tokens: list[Token], at: int = 0) -> None:
        self._tokens = tokens
        self.at = at

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one beyond it; empty at the end."""
        index = self.at + ahead
        return self._tokens[index] if index < len(self._tokens) else Token("end", "", -1)

    def take(self) -> Token:
        """The next token, and go on."""
        token = self.peek()
        self.at += 1
        return token

    def accept(self, *texts: str) -> bool:
        """Whether the next token is one of these; if so, go on."""
        found = self.peek().text in texts and self.peek().kind != "text"
        self.at += found
        return found

    def expect(self, text: str) -> None:
        """Go past this token."""
        if not self.accept(text):
            raise NotThis(f"{text} expected, not {self.peek().text[:40]!r}")

    def name(self) -> str:
        """Go past a name."""
        if self.peek().kind != "name":
            raise NotThis(f"a name expected, not {self.peek().text[:40]!r}")
        return self.take().text

    def end_of_group(self) -> int:
        """Where the bracketed group ends that is next; here, if none is."""
        if self.peek().text in OPENING and self.peek().kind == "mark":
            return end_of_group(self._tokens, self.at)
        return self.at

    def skip(self) -> None:
        """Go past a bracketed group if one is next, else past one token."""
        self.at = max(self.end_of_group(), self.at + 1)


def end_of_group(tokens: list[Token], at: int) -> int:
    """Index behind the group of brackets that opens at `at`; the end of all if it never closes."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind == "mark":
            depth += tokens[index].text in OPENING
            depth -= tokens[index].text in OPENING.values()
            if depth == 0:
                return index + 1
    return len(tokens)


def check_brackets(tokens: list[Token]) -> None:
    """ValueError where test code opens or closes a bracket that has no partner."""
    expected: list[str] = []
    for token in tokens:
        if token.kind != "mark":
            continue
        if token.text in OPENING:
            expected.append(OPENING[token.text])
        elif token.text in OPENING.values() and (not expected or expected.pop() != token.text):
            raise ValueError(f"{token.text} at {token.at} closes nothing")
    if expected:
        raise ValueError(f"{expected[-1]} is missing at its end")
