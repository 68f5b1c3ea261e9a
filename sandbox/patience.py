"""
Runs and compilations that the host starved: once more, alone and with more wall time.

On a busy host a program that computes needs longer to use up its CPU time, which is what its limit
means. What is starved even so is our failure, and says nothing about the program.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from sandbox.base import COMPILE_LIMITS, Limits, Program, Run, SandboxError
from sandbox.pool import Session, SlotPool


@asynccontextmanager
async def prepared(
    pool: SlotPool, program: Program, deadline: float
) -> AsyncIterator[tuple[Session, Run]]:
    """A session with the program compiled, and how that went.

    A compiler that the host starved runs again, with patience and nothing beside it. Raises
    SandboxError if the host is too busy even so.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(pool.session(program, deadline=deadline))
        compiled = await session.compile()
        if compiled.was_starved:
            await stack.aclose()
            alone = pool.session(program, deadline=deadline, is_alone=True)
            session = await stack.enter_async_context(alone)
            compiled = await _compile_patiently(session)
        yield session, compiled


async def _compile_patiently(session: Session) -> Run:
    compiled = await session.compile(limits=COMPILE_LIMITS.patient())
    if compiled.was_starved:
        raise SandboxError("the host was too busy to compile, even with no other run beside it")
    return compiled


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
    async with pool.session(program, deadline=deadline, is_alone=True) as session:
        await _compile_patiently(session)
        run = await session.run(stdin, limits.patient(), call=call, files=files)
    if run.was_starved:
        raise SandboxError("the host was too busy to time a run, even with no other run beside it")
    return run
