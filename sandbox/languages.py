"""
The languages: one declarative entry each. Nothing else in the sandbox knows a language.

A compiled language compiles `source_name` into `artifact` once per submission; each run then gets
a copy of the artifact alone. An interpreted one gets a copy of its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How to build and start a program; commands run in the jail's empty work directory."""

    name: str
    source_name: str
    run: tuple[str, ...]
    compile: tuple[str, ...] = ()
    artifact: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    is_warm: bool = False
    """Whether the agent's warm interpreter can run it instead."""
    version: tuple[str, ...] = ()
    """Command that prints the version of what the image holds."""


_PYTHON = Language(
    "python",
    "main.py",
    # Not -S: honest programs call exit(). Not -P: a program may import the files it came with.
    run=("/usr/bin/python3", "-s", "main.py"),
    # Same order of sets in every run; one thread, because the CPU limit counts all of them.
    env=(("PYTHONHASHSEED", "0"), ("OPENBLAS_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1")),
    is_warm=True,
    version=("/usr/bin/python3", "--version"),
)

_CPP = Language(
    "cpp",
    "main.cpp",
    compile=("/usr/bin/g++", "-std=c++17", "-O2", "-pipe", "-w", "-o", "main", "main.cpp"),
    artifact="main",
    run=("./main",),
    version=("/usr/bin/g++", "--version"),
)

_C = Language(
    "c",
    "main.c",
    compile=("/usr/bin/gcc", "-std=c17", "-O2", "-pipe", "-w", "-o", "main", "main.c", "-lm"),
    artifact="main",
    run=("./main",),
    version=("/usr/bin/gcc", "--version"),
)

LANGUAGES: Mapping[str, Language] = {entry.name: entry for entry in (_PYTHON, _CPP, _C)}
"""Every language by its name."""


def language_named(name: str) -> Language:
    """The entry for `name`; ValueError lists what there is."""
    try:
        return LANGUAGES[name]
    except KeyError:
        raise ValueError(f"language must be one of {', '.join(sorted(LANGUAGES))}") from None
