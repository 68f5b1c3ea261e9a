"""
The pool: slots that are always replaced, lent to one caller at a time, first come first served.

A slot is one place where one program runs at a time. What a slot is made of (a container, a plain
process) is the affair of the `SlotMaker`; the pool sees to it that there are always enough of them,
and that making and removing one never stands in the way of a caller.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from sandbox.base import (
    COMPILE_LIMITS,
    DeadlineExceeded,
    Limits,
    Program,
    Run,
    SandboxError,
    SandboxUnavailable,
)

log = logging.getLogger(__name__)

RUNS_PER_SLOT = 2000
"""A slot is replaced after so many runs, so that nothing a kernel or agent leaks can pile up."""


class Slot(Protocol):
    """One place to run programs, one at a time. A cancelled or failed call leaves it unusable."""

    @property
    def is_usable(self) -> bool:
        """Whether it can take another program."""

    async def compile(self, program: Program, limits: Limits, *, deadline: float) -> Run:
        """Make `program` ready to run; COMPILE_ERROR with the messages if it does not build."""

    async def run(self, stdin: bytes, limits: Limits, *, deadline: float) -> Run:
        """Run what was compiled last, in a fresh jail."""

    async def close(self) -> None:
        """Kill and remove it."""


class SlotMaker(Protocol):
    """Makes slots."""

    async def __call__(self) -> Slot:
        """A slot that passed its self-test; SandboxUnavailable if there can be none."""


class Session:
    """A program in a slot: compile it once, then run it as often as needed."""

    def __init__(self, slot: Slot, program: Program, deadline: float) -> None:
        self._slot = slot
        self._program = program
        self._deadline = deadline

    async def compile(self) -> Run:
        """OK, or COMPILE_ERROR with the compiler's messages in `stderr`."""
        return await self._slot.compile(self._program, COMPILE_LIMITS, deadline=self._deadline)

    async def run(self, stdin: bytes, limits: Limits) -> Run:
        """One run in a jail of its own."""
        return await self._slot.run(stdin, limits, deadline=self._deadline)


class SlotPool:
    """Keeps `size` slots alive from `start` to `close`."""

    def __init__(self, make: SlotMaker, size: int) -> None:
        raise NotImplementedError
