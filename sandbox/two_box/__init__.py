"""
Test code in the languages that are not Python: a submission and its tests become two programs.

Each runs in a jail of its own, and they share one channel. The judge's program is the task's test
code with stand-ins for what it calls of the submission; a stand-in sends the arguments over the
channel and returns what comes back, read as plain data. The submission's program is its text with
a server behind it that makes the calls. So no value of the submission's own making ever meets an
expected one, and nothing that it prints, exits with or overwrites is a verdict: that is a report
which only the judge's jail can write, see `agent.report`.

    base          what the languages share
    tokens        a tokenizer for C-like texts
    javascript    javascript, typescript
    cpp           cpp, cpp20; cpp_types reads signatures
    java
    rust          rust_types reads signatures
    *.js *.hpp *.java *.rs    what stands in the two programs beside test code and submission
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.base import Program
from sandbox.two_box import cpp, java, javascript, rust
from sandbox.two_box.base import MAX_SOURCE, Sources, Uncallable

__all__ = ["LANGUAGES", "Uncallable", "boxes", "check_typed_tests"]

MAX_TEST_CODE = 262_144
"""Characters: each submission's tests are read anew."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one language is split, and how its test code is looked at before."""

    split: Callable[[str, str, str | None], Sources]
    check: Callable[[str], None]


_JAVASCRIPT = Adapter(javascript.split, javascript.check)
_CPP = Adapter(cpp.split, cpp.check)

LANGUAGES: Mapping[str, Adapter] = {
    "javascript": _JAVASCRIPT,
    "typescript": _JAVASCRIPT,
    "cpp": _CPP,
    "cpp20": _CPP,
    "java": Adapter(java.split, java.check),
    "rust": Adapter(rust.split, rust.check),
}
"""The languages beside Python whose test code can be run."""


def boxes(program: Program, test_code: str, entry_point: str | None) -> tuple[Program, Program]:
    """The submission's program and the judge's.

    Uncallable if the submission offers nothing that the test code calls, or too much text.
    """
    if len(program.source) > MAX_SOURCE:
        raise Uncallable(f"a program that tests call must not be longer than {MAX_SOURCE}")
    sources = LANGUAGES[program.language].split(program.source, test_code, entry_point)
    return (
        Program(program.language, sources.program),
        Program(program.language, sources.judge),
    )


def check_typed_tests(language: str, kind: str, test_code: str) -> None:
    """ValueError for test code that could never be run, whatever the submission is."""
    if language == "python":
        return
    if language not in LANGUAGES:
        raise ValueError(f"tests as code are for {', '.join(('python', *LANGUAGES))}")
    if kind != "assert":
        raise ValueError(f"kind {kind} is for python; in {language} it is assert")
    if len(test_code) > MAX_TEST_CODE:
        raise ValueError(f"longer than {MAX_TEST_CODE} characters")
    LANGUAGES[language].check(test_code)
