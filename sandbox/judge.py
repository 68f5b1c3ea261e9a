"""
The judge: runs a submission's tests and turns what it saw into a verdict.

It runs outside the sandbox, and expected outputs never leave it: a slot is given the program and
one input at a time, and hands back bytes.
"""

import re

from sandbox.base import (
    CheckerFailed,
    Limits,
    Program,
    Run,
    SandboxError,
    SlotLost,
    Status,
)
from sandbox.pool import SlotPool
from sandbox.progress import Progress
from sandbox.submission import Judgement, Submission, TestCode, Verdict
from sandbox.test_code import judge_test_code

__all__ = ["Verdict", "judge", "run_alone"]

_POINTS = re.compile(rb"points\s+([0-9]+(?:\.[0-9]+)?)")

CHECKER_LIMITS = Limits(cpu_s=5.0, wall_s=30.0, memory_mb=512)
"""Of a task's own checker program; it reads three files and should be done in a moment."""


async def judge(pool: SlotPool, submission: Submission, *, deadline: float) -> Judgement:
    """Judge on one slot; when that dies under a test, go on from this test on another slot.

    `deadline` is in Unix seconds. Raises SlotLost when a second slot died, too, and
    DeadlineExceeded.
    """
    if submission.test_code is not None:
        return await _judge_by_code(pool, submission, submission.test_code, deadline)
    progress = Progress(submission)
    has_lost_a_slot = False
    while not progress.is_over():
        try:
            starved = await _run_tests(progress, pool, deadline)
            if starved is not None:
                progress.record(starved, await _repeat(pool, submission, starved, deadline))
            await _check_outputs(progress, pool, deadline)
        except SlotLost:
            if has_lost_a_slot:
                raise
            has_lost_a_slot = True
    return progress.judgement()


async def _judge_by_code(
    pool: SlotPool, submission: Submission, code: TestCode, deadline: float
) -> Judgement:
    try:
        return await judge_test_code(pool, submission, code, deadline=deadline)
    except SlotLost:
        return await judge_test_code(pool, submission, code, deadline=deadline)


async def _run_tests(progress: Progress, pool: SlotPool, deadline: float) -> int | None:
    """Run until the end, or until a test whose time the host took; return its index."""
    submission = progress.submission
    async with pool.session(submission.program, deadline=deadline) as session:
        progress.compiled = await session.compile()
        while (index := progress.next_test()) is not None:
            test = submission.tests[index]
            run = await session.run(test.stdin(), submission.limits, call=test.call)
            if run.was_starved:
                return index
            progress.record(index, run)
    return None


async def _repeat(pool: SlotPool, submission: Submission, index: int, deadline: float) -> Run:
    test = submission.tests[index]
    return await run_alone(
        pool, submission.program, test.stdin(), submission.limits, deadline, call=test.call
    )


async def _check_outputs(progress: Progress, pool: SlotPool, deadline: float) -> None:
    """Have checker programs decide on the outputs they are asked about.

    Only here do expected outputs enter a sandbox, after the submission has left it.
    """
    while (index := progress.next_unchecked()) is not None:
        program = progress.checker_program(index)
        async with pool.session(program, deadline=deadline) as session:
            compiled = await session.compile()
            if compiled.status is not Status.OK:
                raise CheckerFailed(f"the checker does not compile: {compiled.stderr[:500]!r}")
            while index is not None and progress.checker_program(index) is program:
                run = await session.run(b"", CHECKER_LIMITS, files=progress.checker_files(index))
                progress.settle(index, _points(run))
                index = progress.next_unchecked()


def _points(run: Run) -> float:
    """What the checker's exit status says: testlib's numbers, and Kattis's 42 and 43."""
    if run.status in (Status.OK, Status.RUNTIME_ERROR):
        if run.exit_code in (0, 42):
            return 1.0
        # Wrong, or not in the right form. Python ends with 1 after an exception, too.
        if run.exit_code in (1, 2, 4, 8, 43) and not run.stderr.startswith(b"Traceback"):
            return 0.0
        points = _POINTS.search(run.stderr)
        if run.exit_code == 7 and points is not None:
            return min(1.0, float(points[1]))
    found = run.exit_code if run.exit_code is not None else run.signal or run.status.value
    raise CheckerFailed(f"the checker ended with {found}: {run.stderr[-500:]!r}")


async def run_alone(
    pool: SlotPool,
    program: Program,
    stdin: bytes,
    limits: Limits,
    deadline: float,
    *,
    call: str | None = None,
) -> Run:
    """Repeat a run that the host starved, with nothing beside it and patience.

    Raises SandboxError if the host is too busy even so: then nothing is known about the program.
    """
    async with pool.session(program, deadline=deadline, is_alone=True) as session:
        await session.compile()
        # On a busy host a program that computes needs longer to use up its CPU time.
        run = await session.run(stdin, limits.patient(), call=call)
    if run.was_starved:
        raise SandboxError("the host was too busy to time a run, even with no other run beside it")
    return run
