"""
What every sandbox is, whatever its slots are made of: a pool of checked slots, and what runs on it.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from sandbox import canaries
from sandbox.base import (
    DeadlineExceeded,
    Limits,
    Program,
    Run,
    SandboxUnavailable,
    SlotLost,
    Status,
)
from sandbox.builds import Counts
from sandbox.judge import judge, note_lost_slot
from sandbox.patience import prepared, run_alone
from sandbox.pool import SlotPool
from sandbox.slot import AgentSlot
from sandbox.submission import Judgement, Submission


class PooledSandbox(ABC):
    """Runs and judges programs in `slots` places, each of which passed the start-up check."""

    holds_our_image = False
    """Whether its languages were put together by us, and tested."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._pool: SlotPool | None = None

    @abstractmethod
    def isolation(self) -> dict[str, str]:
        """What isolates programs here, in words, once started; see `sandbox/levels.py`."""

    @abstractmethod
    async def _open(self) -> None:
        """Get ready to make slots. Raises SandboxUnavailable, saying what to do about it."""

    @abstractmethod
    async def _open_slot(self) -> AgentSlot:
        """A slot whose agent has answered, not checked yet. Raises SandboxError."""

    @abstractmethod
    async def _shut(self) -> None:
        """Undo `_open`; safe to call twice."""

    async def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""
        try:
            await self._open()
            pool = SlotPool(self._make_slot, self._slots)
            await pool.start()
        except BaseException:
            await self._shut()
            raise
        self._pool = pool

    @property
    def trouble(self) -> str | None:
        """Why no program can be run at present, in words; None while all is well."""
        return "the sandbox was not started" if self._pool is None else self._pool.trouble

    @property
    def compilations(self) -> Counts:
        """How often a compiler ran since the start, and how often its work was used again."""
        return self._running_pool().builds.counts

    async def judge(self, submission: Submission, *, deadline: float) -> Judgement:
        """Compile and test a submission. Raises SandboxError; `deadline` is in Unix seconds."""
        return await judge(self._running_pool(), submission, deadline=_monotonic(deadline))

    async def run(
        self, program: Program, stdin: bytes = b"", limits: Limits | None = None, *, deadline: float
    ) -> Run:
        """Compile and run one program. Raises SandboxError; `deadline` is in Unix seconds."""
        pool = self._running_pool()
        deadline = _monotonic(deadline)
        try:
            return await _run_once(pool, program, stdin, limits or Limits(), deadline)
        except SlotLost:
            note_lost_slot()
            return await _run_once(pool, program, stdin, limits or Limits(), deadline)

    async def examine(self) -> list[canaries.Finding]:
        """Try every canary in a slot of its own and say how each went. For people: `doctor`."""
        try:
            await self._open()
            slot = await self._open_slot()
            try:
                return [finding async for finding in canaries.examine(slot)]
            finally:
                await slot.close()
        finally:
            await self._shut()

    async def close(self) -> None:
        """Kill every program and remove every slot. Safe to call twice."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        await self._shut()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    def _running_pool(self) -> SlotPool:
        if self._pool is None:
            raise SandboxUnavailable("the sandbox was not started")
        return self._pool

    async def _make_slot(self) -> AgentSlot:
        try:
            slot = await self._open_slot()
            async with closed_unless_done(slot):
                await canaries.check(slot)
        except (SlotLost, DeadlineExceeded) as error:
            raise SandboxUnavailable(f"a slot is up but cannot run programs: {error}") from error
        return slot


def _monotonic(deadline: float) -> float:
    """Unix seconds on `time.monotonic()`, where all below counts, so that no jump ends a run."""
    return time.monotonic() + deadline - time.time()


@asynccontextmanager
async def closed_unless_done(slot: AgentSlot) -> AsyncIterator[None]:
    """Close `slot` if the block fails or is cancelled."""
    try:
        yield
    except BaseException:
        await slot.close()
        raise


async def _run_once(
    pool: SlotPool, program: Program, stdin: bytes, limits: Limits, deadline: float
) -> Run:
    async with prepared(pool, program, deadline) as (session, compiled):
        if compiled.status is not Status.OK:
            return compiled
        run = await session.run(stdin, limits)
    if run.was_starved:
        return await run_alone(pool, program, stdin, limits, deadline)
    return run
