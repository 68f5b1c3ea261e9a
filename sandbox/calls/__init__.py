"""
Functions in the languages that are not Python: what makes a program of a submission's function.

A driver stands behind the submission's text. It reads the arguments of one call from stdin, as
JSON, makes the call, and writes the result to descriptor 3, as `values.parse_result` reads it. It
is compiled with the submission and runs in the submission's own process, so nothing here decides
anything: a program that writes to the descriptor itself has only chosen another way to return a
value. What the value should have been is in no process that runs here.

    cpp           cpp, cpp20; signatures are read by two_box.cpp_types
    java          types are found at run time
    javascript    javascript, typescript; values know their own types
    go            types are found at run time
    rust          parameters are read by two_box.rust_types
    *.hpp *.java *.js *.go *.rs    the drivers
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.base import Program
from sandbox.calls import cpp, go, java, javascript, rust

__all__ = ["LANGUAGES", "calling"]

LANGUAGES: Mapping[str, Callable[[str, str], str]] = {
    "cpp": cpp.with_driver,
    "cpp20": cpp.with_driver,
    "java": java.with_driver,
    "javascript": javascript.with_driver,
    "typescript": javascript.with_driver,
    "go": go.with_driver,
    "rust": rust.with_driver,
}
"""The languages beside Python whose functions can be called."""


def calling(program: Program, entry_point: str) -> Program:
    """The program that calls `entry_point`, as `CallCase` has it.

    A program in Python stays as it is: the warm interpreter calls functions by itself. If the
    submission defines no such function it does not compile, or fails when it runs.
    """
    with_driver = LANGUAGES.get(program.language)
    if with_driver is None:
        return program
    return replace(program, source=with_driver(program.source, entry_point))
