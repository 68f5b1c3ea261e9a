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

from sandbox.base import Program
from sandbox.two_box import cpp, java, javascript, rust
from sandbox.two_box.base import MAX_SOURCE, Sources, Uncallable

__all__ = ["LANGUAGES", "Uncallable", "boxes"]

_Split = Callable[[str, str, str | None], Sources]

LANGUAGES: Mapping[str, _Split] = {
    "javascript": javascript.split,
    "typescript": javascript.split,
    "cpp": cpp.split,
    "cpp20": cpp.split,
    "java": java.split,
    "rust": rust.split,
}
"""How each language is split."""


def boxes(program: Program, test_code: str, entry_point: str | None) -> tuple[Program, Program]:
    """The submission's program and the judge's.

    Uncallable if the submission offers nothing that the test code calls, or too much text.
    """
    if len(program.source) > MAX_SOURCE:
        raise Uncallable(f"a program that tests call must not be longer than {MAX_SOURCE}")
    sources = LANGUAGES[program.language](program.source, test_code, entry_point)
    return (
        Program(program.language, sources.program),
        Program(program.language, sources.judge),
    )
