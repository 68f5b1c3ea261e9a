"""
The judge: runs a submission's tests and turns what it saw into a verdict.

It runs outside the sandbox, and expected outputs never leave it: a slot is given the program and
one input at a time, and hands back bytes.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from sandbox.base import CheckerFailed, Limits, Program, Run, SlotLost, Status
from sandbox.interactive import judge_interactively
from sandbox.patience import prepared, run_alone
from sandbox.points import points_of
from sandbox.pool import SlotPool
from sandbox.progress import Progress
from sandbox.runs import TestRuns
from sandbox.session import Session
from sandbox.submission import Judgement, Submission, TestCode, Verdict
from sandbox.test_code import judge_test_code

log = logging.getLogger(__name__)

__all__ = ["Verdict", "judge"]

CHECKER_LIMITS = Limits(cpu_s=5.0, wall_s=30.0, memory_mb=512)
"""Of a task's own checker program; it reads three files and should be done in a moment."""


async def judge(pool: SlotPool, submission: Submission, *, deadline: float) -> Judgement:
    """Judge on one slot; when that dies under a test, go on from this test on another slot.

    `deadline` is on `time.monotonic()`. Raises SlotLost when a second slot died, too, and
    DeadlineExceeded.
    """
    if submission.test_code is not None:
        return await _judge_by_code(pool, submission, submission.test_code, deadline)
    progress = Progress(submission)
    has_lost_a_slot = False
    while not progress.is_over():
        try:
            if submission.checker.interactor is not None:
                await judge_interactively(progress, submission.checker.interactor, pool, deadline)
                continue
            starved = await _run_tests(progress, pool, deadline)
            if starved is not None:
                progress.record(starved, await _repeat(progress, starved, pool, deadline))
            await _check_outputs(progress, pool, deadline)
        except SlotLost:
            if has_lost_a_slot:
                raise
            has_lost_a_slot = True
            note_lost_slot()
    return progress.judgement()


def note_lost_slot() -> None:
    """Say in the log that what ran in a slot that died is repeated in another."""
    log.warning("a sandbox slot died under a program, which runs again in another")


async def _judge_by_code(
    pool: SlotPool, submission: Submission, code: TestCode, deadline: float
) -> Judgement:
    try:
        return await judge_test_code(pool, submission, code, deadline=deadline)
    except SlotLost:
        note_lost_slot()
        return await judge_test_code(pool, submission, code, deadline=deadline)


async def _run_tests(progress: Progress, pool: SlotPool, deadline: float) -> int | None:
    """Run until the end, or until a test whose time the host took; return its index."""
    async with prepared(pool, progress.program, deadline) as (session, compiled):
        progress.compiled = compiled
        return await TestRuns(progress, pool, deadline).run(session)


async def _repeat(progress: Progress, index: int, pool: SlotPool, deadline: float) -> Run:
    test, limits = progress.submission.tests[index], progress.submission.limits
    return await run_alone(pool, progress.program, test.stdin(), limits, deadline, call=test.call)


async def _check_outputs(progress: Progress, pool: SlotPool, deadline: float) -> None:
    """Have checker programs decide on the outputs they are asked about.

    Only here do expected outputs enter a sandbox, after the submission has left it.
    """
    while (index := progress.next_unchecked()) is not None:
        program = progress.checker_program(index)
        async with prepared(pool, program, deadline) as (session, compiled):
            if compiled.status is not Status.OK:
                raise CheckerFailed(f"the checker does not compile: {compiled.stderr[:500]!r}")
            starved = await _check_all(progress, session, program)
        if starved is not None:
            await _decide(progress, starved, partial(_check_alone, pool, program, deadline))


async def _check_all(progress: Progress, session: Session, program: Program) -> int | None:
    """Check until the end, or until a check whose time the host took; return its index."""

    async def check(files: Mapping[str, bytes]) -> Run:
        return await session.run(b"", CHECKER_LIMITS, files=files)

    while (index := progress.next_unchecked()) is not None:
        if progress.checker_program(index) is not program:
            break
        if not await _decide(progress, index, check):
            return index
    return None


async def _check_alone(
    pool: SlotPool, program: Program, deadline: float, files: Mapping[str, bytes]
) -> Run:
    return await run_alone(pool, program, b"", CHECKER_LIMITS, deadline, files=files)


async def _decide(
    progress: Progress, index: int, check: Callable[[Mapping[str, bytes]], Awaitable[Run]]
) -> bool:
    """Settle a test by its checker program; False if the host took the checker's time.

    A checker that fails on what the submission wrote, and not on the reference, has refused it:
    else a program could choose to have no verdict.
    """
    run = await check(progress.checker_files(index))
    if run.was_starved:
        return False
    try:
        points = points_of(run)
    except CheckerFailed:
        run = await check(progress.reference_files(index))
        if run.was_starved:
            return False
        points_of(run)
        points = 0.0
    progress.settle(index, points)
    return True
