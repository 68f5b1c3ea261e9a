"""
The sandbox's vocabulary: a program, its limits, one run of it, and the protocol that runs it.

A program that misbehaves is data (`Run.status`). `SandboxError` means that we failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class SandboxError(Exception):
    """The sandbox failed; nothing was learnt about the program."""


class SandboxUnavailable(SandboxError):
    """No engine, no image, or no slot could be had. The message says what to do."""


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
    """Limits of one run. CPU time decides; the wall clock is for programs that wait."""

    cpu_s: float = 2.0
    wall_s: float = 6.0
    memory_mb: int = 256
    output_kb: int = 4096
    processes: int = 64


COMPILE_LIMITS = Limits(cpu_s=20.0, wall_s=60.0, memory_mb=512, output_kb=64, processes=64)


@dataclass(frozen=True, slots=True)
class Program:
    """Source text in one language."""

    language: str
    source: str


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


@dataclass(frozen=True, slots=True)
class Slot:
    """One place where a run can happen at a time."""

    id: str
    isolation: Mapping[str, str] = field(default_factory=dict)


class Sandbox(Protocol):
    """Runs programs, one jail a run."""

    async def start(self) -> None:
        """Make every slot ready, or raise SandboxUnavailable."""

    async def run_tests(
        self, program: Program, inputs: Sequence[bytes], limits: Limits, *, deadline: float
    ) -> "Sequence[Run]":
        """Compile once, then one fresh jail for every input, in order; expected outputs stay out.

        Returns one Run per input; after a compile error a single Run with COMPILE_ERROR.
        Raises SandboxError when we failed or the Unix-time `deadline` (seconds) passed.
        """

    async def close(self) -> None:
        """Stop and remove every container. Safe to call twice."""
