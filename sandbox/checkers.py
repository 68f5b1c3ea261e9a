"""
Output checkers: does what a program wrote equal what was expected?

All of them work on bytes, and only ASCII space, tab, CR, LF, VT and FF are blank: a checker that
decodes text or calls `float()` accepts Arabic digits, `1_000` and a no-break space as equal.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.base import Program
from sandbox.languages import language_named

BLANKS = b" \t\r\n\v\f"

PROGRAM_CHECKER_FILES = ("input.txt", "output.txt", "answer.txt")
"""What a checker program is given, as files and as arguments, in the order testlib has them."""

MAX_NUMBER_LENGTH = 400
"""Longest token compared as a number, in bytes; a longer one has to be equal as written."""

_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BLANK_RUN = re.compile(rb"[ \t\r\v\f]+")


@dataclass(frozen=True, slots=True)
class Checker:
    """Which comparison decides, and its options. `parse_checker` builds one from JSON."""

    name: str = "tokens"
    abs: float = 1e-6
    rel: float = 1e-6
    case_insensitive: bool = False
    """Folds ASCII letters only."""
    outputs: tuple[bytes, ...] = ()
    """`any_of`: what is accepted beside the test case's own output."""
    program: Program | None = None
    """`program`: decides in a jail of its own, see `sandbox.judge.check_output`."""
    interactor: Program | None = None
    """`interactor`: talks to the program and decides, see `sandbox.interactive`."""

    def accepts(self, expected: bytes, got: bytes) -> bool:
        """Whether `got` is a right output where `expected` is the reference."""
        if self.case_insensitive:
            expected, got = expected.lower(), got.lower()
        return _COMPARE[self.name](self, expected, got)


def parse_checker(params: Mapping[str, Any]) -> Checker:
    """Build a checker from `{"name": "floats", "abs": 1e-4}`.

    Raises ValueError, naming the option, for an unknown name or option or a value of the wrong
    type.
    """
    options = dict(params)
    name = options.pop("name", "tokens")
    if not isinstance(name, str) or name not in CHECKERS:
        raise ValueError(f"checker name must be one of {', '.join(sorted(CHECKERS))}")
    for option, value in options.items():
        if option not in CHECKERS[name]:
            raise ValueError(f"checker {name} has no such option; it takes: {CHECKERS[name]}")
        options[option] = _PARSE[option](option, value)
    if name == "program":
        return Checker(name, program=_program(options))
    if name == "interactor":
        return Checker(name, interactor=_program(options))
    return Checker(name, **options)


def _program(options: dict[str, Any]) -> Program:
    if "source" not in options:
        raise ValueError("a checker that is a program needs the option source")
    language = language_named(options.get("language", "cpp")).name
    return Program(
        language, options["source"], options.get("files", {}), args=PROGRAM_CHECKER_FILES
    )


def _tolerance(option: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
        raise ValueError(f"checker option {option} must be a number of at least 0")
    return float(value)


def _flag(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"checker option {option} must be true or false")  # noqa: TRY004
    return value


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"checker option {option} must be a string")  # noqa: TRY004
    return value


def _files(option: str, value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"checker option {option} must map file names to texts")
    return {str(name): text.encode("utf-8", "surrogatepass") for name, text in value.items()}


def _outputs(option: str, value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"checker option {option} must be a list of strings")
    return tuple(text.encode("utf-8", "surrogatepass") for text in value)


def _trimmed_lines(text: bytes) -> list[bytes]:
    lines = [line.rstrip(BLANKS) for line in text.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _collapsed_lines(text: bytes) -> list[bytes]:
    return [_BLANK_RUN.sub(b" ", line).lstrip(BLANKS) for line in _trimmed_lines(text)]


def _tokens(checker: Checker, expected: bytes, got: bytes) -> bool:
    return expected.split() == got.split()


def _exact(checker: Checker, expected: bytes, got: bytes) -> bool:
    return _trimmed_lines(expected) == _trimmed_lines(got)


def _lines(checker: Checker, expected: bytes, got: bytes) -> bool:
    return _collapsed_lines(expected) == _collapsed_lines(got)


def _floats(checker: Checker, expected: bytes, got: bytes) -> bool:
    wanted, found = expected.split(), got.split()
    return len(wanted) == len(found) and all(
        a == b or _close(checker, a, b) for a, b in zip(wanted, found, strict=True)
    )


def _close(checker: Checker, wanted: bytes, found: bytes) -> bool:
    # Only where the reference is written as a real: "1000001" must not pass for "1000000".
    if max(len(wanted), len(found)) > MAX_NUMBER_LENGTH or not set(wanted) & set(b".eE"):
        return False
    if not _NUMBER.fullmatch(wanted) or not _NUMBER.fullmatch(found):
        return False
    a, b = float(wanted), float(found)
    # A difference of two infinities is NaN and compares false, so an overflow never passes.
    return abs(a - b) <= max(checker.abs, checker.rel * abs(a)) and abs(a) != float("inf")


def _unordered_lines(checker: Checker, expected: bytes, got: bytes) -> bool:
    return Counter(_trimmed_lines(expected)) == Counter(_trimmed_lines(got))


def _unordered_tokens(checker: Checker, expected: bytes, got: bytes) -> bool:
    return Counter(expected.split()) == Counter(got.split())


def _any_of(checker: Checker, expected: bytes, got: bytes) -> bool:
    folded = (text.lower() if checker.case_insensitive else text for text in checker.outputs)
    return any(_tokens(checker, reference, got) for reference in (expected, *folded))


_COMPARE: Mapping[str, Callable[[Checker, bytes, bytes], bool]] = {
    "tokens": _tokens,
    "exact": _exact,
    "lines": _lines,
    "floats": _floats,
    "unordered_lines": _unordered_lines,
    "unordered_tokens": _unordered_tokens,
    "any_of": _any_of,
}

_PARSE: Mapping[str, Callable[[str, Any], Any]] = {
    "abs": _tolerance,
    "rel": _tolerance,
    "case_insensitive": _flag,
    "outputs": _outputs,
    "language": _text,
    "source": _text,
    "files": _files,
}

CHECKERS: Mapping[str, tuple[str, ...]] = {
    "tokens": ("case_insensitive",),
    "exact": ("case_insensitive",),
    "lines": ("case_insensitive",),
    "floats": ("abs", "rel", "case_insensitive"),
    "unordered_lines": ("case_insensitive",),
    "unordered_tokens": ("case_insensitive",),
    "any_of": ("outputs", "case_insensitive"),
    "program": ("language", "source", "files"),
    "interactor": ("language", "source", "files"),
}
"""Names of the checkers and the options each takes."""
