"""
Runs and compilations that the host starved: once more, alone and with more wall time.

On a busy host a program that computes needs longer to use up its CPU time, which is what its limit
means. What is starved even so is our failure, and says nothing about the program.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sandbox.base import COMPILE_LIMITS, Limits, Program, Run, SandboxError
from sandbox.pool import SlotPool
from sandbox.session import Session

log = logging.getLogger(__name__)


@asynccontextmanager
async def prepared(
    pool: SlotPool, program: Program, deadline: float
) -> AsyncIterator[tuple[Session, Run]]:
    """A session with the program compiled, and how that went.

    A compiler that the host starved runs again, with patience and nothing beside it. Raises
    SandboxError if the host is too busy even so.
    """
    async with pool.session(program, deadline=deadline) as session:
        compiled = await session.compile()
        if not compiled.was_starved:
            yield session, compiled
            return
    async with alone(pool, program, deadline) as found:
        yield found


@asynccontextmanager
async def alone(
    pool: SlotPool, program: Program, deadline: float
) -> AsyncIterator[tuple[Session, Run]]:
    """As `prepared`, with patience and nothing beside it from the beginning."""
    log.warning("the host was too busy for a run, which is repeated alone")
    async with pool.session(program, deadline=deadline, is_alone=True) as session:
        compiled = await session.compile(limits=COMPILE_LIMITS.patient())
        if compiled.was_starved:
            raise SandboxError("the host was too busy to compile, even with no other run beside it")
        yield session, compiled


async def load_judge(session: Session, judge: Program) -> Run:
    """Make the judge's side of a pair ready. Raises SandboxError if the host is too busy."""
    loaded = await session.compile(judge)
    if loaded.was_starved:
        raise SandboxError("the host was too busy to compile what judges a program")
    return loaded


def timed(run: Run) -> None:
    """Raise SandboxError if a run that had nothing beside it was starved all the same."""
    if run.was_starved:
        raise SandboxError("the host was too busy to time a run, even with no other run beside it")


async def run_alone(
    pool: SlotPool,
    program: Program,
    stdin: bytes,
    limits: Limits,
    deadline: float,
    *,
    call: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Run:
    """Repeat a run that the host starved, with nothing beside it and patience.

    Raises SandboxError if the host is too busy even so: then nothing is known about the program.
    """
    async with alone(pool, program, deadline) as (session, _):
        run = await session.run(stdin, limits.patient(), call=call, files=files)
    timed(run)
    return run
