"""
The sandbox's vocabulary: a program, its limits, one run of it, and how we fail.

A program that misbehaves is data (`Run.status`). An exception means that we failed and learnt
nothing about the program:

SandboxError
├── SandboxUnavailable   no engine, no image, or isolation below the configured minimum
├── SlotLost             the container or its agent ended under a run; another slot may do better
├── LanguageMissing      there is no compiler or interpreter for the program's language
├── CheckerFailed        the task's own checker program did not decide
└── DeadlineExceeded     the caller's deadline passed before the run could end

Malformed requests (an unknown language, limits above the maxima) are a ValueError.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum


class SandboxError(Exception):
    """The sandbox failed; nothing was learnt about the program."""


class SandboxUnavailable(SandboxError):
    """Programs cannot be run here. The message says what to do about it."""


class SlotLost(SandboxError):
    """The container or its agent ended in the middle of a run."""


class LanguageMissing(SandboxError):
    """The sandbox lacks the compiler or interpreter that the program's language needs."""


class CheckerFailed(SandboxError):
    """A task's checker program failed; nothing was learnt about the output it was to check."""


class DeadlineExceeded(SandboxError):
    """The caller's deadline passed; the run was killed or never started."""


class Status(StrEnum):
    """How a run ended. All of them are the program's doing."""

    OK = "ok"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run. CPU time decides; the wall clock is the backstop for a program that waits.

    CPU, memory and processes count the whole process tree of the run; `output_kb` (KiB) is for
    each of stdout and stderr.
    """

    cpu_s: float = 2.0
    wall_s: float = 6.0
    memory_mb: int = 256
    output_kb: int = 4096
    processes: int = 64

    def __post_init__(self) -> None:
        """Refuse what no slot can honour."""
        for limit in fields(self):
            value, maximum = getattr(self, limit.name), MAX_LIMITS[limit.name]
            if not 0 < value <= maximum:
                raise ValueError(f"{limit.name} must be above 0 and at most {maximum}")


MAX_LIMITS: Mapping[str, float] = {
    "cpu_s": 60.0,
    "wall_s": 180.0,
    "memory_mb": 1024,
    "output_kb": 65_536,
    "processes": 128,
}
"""The largest value of each field of `Limits`; `memory_mb` and `processes` size the containers."""

COMPILE_LIMITS = Limits(cpu_s=20.0, wall_s=60.0, memory_mb=1024, output_kb=1024, processes=64)
"""bits/stdc++.h with -O2 takes about 3 s of CPU and 350 MB; a template bomb takes what it gets."""


MAX_FILES = 48
MAX_NAME = 200
MAX_WORDS = 3000
"""Characters of all arguments, variables and file names of a program together."""


@dataclass(frozen=True, slots=True)
class Program:
    """Source text in one language, and what it finds around itself when it runs.

    ValueError, naming the field, for what no process can be given.
    """

    language: str
    source: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Further files next to the source, by relative name."""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would break an agent, or mean something else to the kernel."""
        _check_words("args", self.args)
        _check_words("env", (*self.env, *self.env.values()))
        _check_words("files", self.files)
        if any(not name or "=" in name for name in self.env):
            raise ValueError("env: names must not be empty or hold '='")
        parts = [name.split("/") for name in self.files]
        if any({"", ".", ".."} & set(path) for path in parts):
            raise ValueError("files: names must be relative, without empty parts and dots")
        if any(len(part.encode()) > MAX_NAME for path in parts for part in path):
            raise ValueError(f"files: no part of a name may be longer than {MAX_NAME} bytes")
        folders = {"/".join(path[:i]) for path in parts for i in range(1, len(path))}
        if folders & set(self.files):
            raise ValueError("files: one name is a folder in another")
        if len(self.files) > MAX_FILES:
            raise ValueError(f"files: at most {MAX_FILES}")


def _check_words(name: str, words: Collection[str]) -> None:
    if sum(map(len, words)) > MAX_WORDS:
        raise ValueError(f"{name}: longer than {MAX_WORDS} characters in all")
    for word in words:
        if "\0" in word or any("\ud800" <= character <= "\udfff" for character in word):
            raise ValueError(f"{name}: no NUL and no lone surrogates")


@dataclass(frozen=True, slots=True)
class Run:
    """One execution, measured from outside the program."""

    status: Status
    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int | None = None
    signal: int | None = None
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    memory_kb: int = 0
    result: bytes = b""
    """What a called function returned, as JSON; empty if it did not return."""
    was_starved: bool = False
    """It ran out of wall time while the host, not the program, kept it from running."""
