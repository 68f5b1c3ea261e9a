"""
The sandbox's vocabulary: a program, its limits, one run of it, and how we fail.

A program that misbehaves is data (`Run.status`). An exception means that we failed and learnt
nothing about the program:

SandboxError
├── SandboxUnavailable   no engine, no image, or isolation below the configured minimum
├── SlotLost             the container or its agent ended under a run; another slot may do better
├── LanguageMissing      there is no compiler or interpreter for the program's language
├── RunStopped           the caller had the run stopped
├── CheckerFailed        the task's own checker, interactor or test code did not decide
└── DeadlineExceeded     the caller's deadline passed before the run could end

Malformed requests (an unknown language, limits above the maxima) are a ValueError.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Literal


class SandboxError(Exception):
    """The sandbox failed; nothing was learnt about the program."""


class SandboxUnavailable(SandboxError):
    """Programs cannot be run here. The message says what to do about it."""


class SlotLost(SandboxError):
    """The container or its agent ended in the middle of a run."""


class LanguageMissing(SandboxError):
    """The sandbox lacks the compiler or interpreter that the program's language needs."""


class RunStopped(SandboxError):
    """The run was stopped because nobody needs it any more."""


class CheckerFailed(SandboxError):
    """A task's own checker, interactor or test code failed: nothing is known about the program."""


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
    each of stdout, stderr and the output files; `disk_mb` (MiB) for what it writes into each of its
    work directory and /tmp, which also counts as memory.
    """

    cpu_s: float = 2.0
    wall_s: float = 6.0
    memory_mb: int = 256
    output_kb: int = 4096
    processes: int = 64
    disk_mb: int = 64

    def __post_init__(self) -> None:
        """Refuse what no slot can honour."""
        for limit in fields(self):
            value, maximum = getattr(self, limit.name), MAX_LIMITS[limit.name]
            if not 0 < value <= maximum:
                raise ValueError(f"{limit.name} must be above 0 and at most {maximum}")

    def patient(self) -> "Limits":
        """With more wall time, for a run that is repeated because the host starved it."""
        return replace(self, wall_s=min(PATIENCE * self.wall_s, MAX_LIMITS["wall_s"]))


PATIENCE = 5

MAX_LIMITS: Mapping[str, float] = {
    "cpu_s": 60.0,
    "wall_s": 180.0,
    "memory_mb": 1024,
    "output_kb": 65_536,
    "processes": 128,
    "disk_mb": 256,
}
"""The largest value of each field of `Limits`; `memory_mb` and `processes` size the containers."""

COMPILE_LIMITS = Limits(cpu_s=20.0, wall_s=60.0, memory_mb=1024, output_kb=1024, processes=64)
"""bits/stdc++.h with -O2 takes about 3 s of CPU and 350 MB; a template bomb takes what it gets."""


MAX_FILES = 48
MAX_FILES_BYTES = 64 << 20
MAX_OUTPUTS = 16
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
    outputs: tuple[str, ...] = ()
    """Files to bring back from the work directory, by relative name, when it ends by itself."""

    def __post_init__(self) -> None:
        """Refuse what would break an agent, or mean something else to the kernel."""
        _check_words("args", self.args)
        _check_words("env", (*self.env, *self.env.values()))
        if any(not name or "=" in name for name in self.env):
            raise ValueError("env: names must not be empty or hold '='")
        _check_names("files", self.files, MAX_FILES)
        _check_names("outputs", self.outputs, MAX_OUTPUTS)
        if sum(map(len, self.files.values())) > MAX_FILES_BYTES:
            raise ValueError(f"files: larger than {MAX_FILES_BYTES >> 20} MiB in all")
        parts = [name.split("/") for name in self.files]
        folders = {"/".join(path[:i]) for path in parts for i in range(1, len(path))}
        if folders & set(self.files):
            raise ValueError("files: one name is a folder in another")


def _check_names(name: str, paths: Collection[str], most: int) -> None:
    _check_words(name, paths)
    if len(paths) > most:
        raise ValueError(f"{name}: at most {most}")
    parts = [path.split("/") for path in paths]
    if any({"", ".", ".."} & set(path) for path in parts):
        raise ValueError(f"{name}: names must be relative, without empty parts and dots")
    if any(len(part.encode()) > MAX_NAME for path in parts for part in path):
        raise ValueError(f"{name}: no part of a name may be longer than {MAX_NAME} bytes")


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
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Those of the program's `outputs` that were there, regular files and within `output_kb`."""
    most_processes: int = 0
    """Most processes and threads seen at a time, looked at every 20 ms."""
    was_survived: bool = False
    """Its first process ended while others of it were still at work; those were killed."""


Side = Literal["program", "judge"]
"""Of a pair of runs: what is judged, and what judges it."""

LinkKind = Literal["socket", "pipes"]
"""`socket`: descriptor 4 of either side. `pipes`: each one's stdout is the other one's stdin."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What the warm interpreter is to do for each side; None: the side is run as a program."""

    program: str | None = None
    judge: str | None = None
    argument: str = ""
    """Of the program's role."""


JUDGE_LIMITS = Limits(cpu_s=5.0, wall_s=180.0, memory_mb=1024, output_kb=4096, processes=64)
"""Of the judge's side of a pair. Its time and memory are cut in the agent, see `Execution`."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A program and its judge, run at once in two jails with a link between them.

    A side that was killed because the other one had ended is OK, without exit code and signal.
    """

    program: Run
    judge: Run
