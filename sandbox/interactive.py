"""
Interactive tasks: the program and the task's interactor run at once, in two jails, and each one's
stdout is the other one's stdin. The interactor's exit status decides, by testlib's numbers.
"""

from sandbox.base import CheckerFailed, Limits, Pair, Program, Status
from sandbox.checkers import PROGRAM_CHECKER_FILES
from sandbox.patience import alone, load_judge, prepared, timed
from sandbox.points import points_of
from sandbox.pool import SlotPool
from sandbox.progress import Progress
from sandbox.session import Session
from sandbox.submission import TestCase

_LISTENER = Program("python", "import sys\nfor line in sys.stdin: pass")
"""A partner that does nothing wrong: an interactor that fails with it fails by itself."""

_LISTENING = Limits(cpu_s=1.0, wall_s=2.0)


async def judge_interactively(
    progress: Progress, interactor: Program, pool: SlotPool, deadline: float
) -> None:
    """Run tests, as many as one session can settle.

    Raises CheckerFailed if the interactor fails by itself. One that fails on what the program wrote
    has refused it: else a program could choose to have no verdict.
    """
    unsettled = await _run_tests(progress, interactor, pool, deadline)
    if unsettled is None:
        return
    index, pair = unsettled
    files = _files(progress, index)
    if pair.program.was_starved:
        pair = await _run_alone(progress, interactor, pool, deadline, files)
    if not _is_settled(progress, index, pair):
        if await _fails_by_itself(pool, interactor, files, deadline):
            points_of(pair.judge)  # raises what is wrong
        progress.decide(index, pair.program, 0.0, is_forgiven=True)


async def _run_tests(
    progress: Progress, interactor: Program, pool: SlotPool, deadline: float
) -> tuple[int, Pair] | None:
    """The first test that the host starved, or that the interactor failed on."""
    submission = progress.submission
    async with prepared(pool, submission.program, deadline) as (session, compiled):
        progress.compiled = compiled
        if compiled.status is not Status.OK:
            return None
        await _load(session, interactor)
        while (index := progress.next_test()) is not None:
            files = _files(progress, index)
            pair = await session.run_pair(b"", submission.limits, link="pipes", files=files)
            if pair.program.was_starved or not _is_settled(progress, index, pair):
                return index, pair
    return None


async def _run_alone(
    progress: Progress,
    interactor: Program,
    pool: SlotPool,
    deadline: float,
    files: dict[str, bytes],
) -> Pair:
    submission = progress.submission
    async with alone(pool, submission.program, deadline) as (session, _):
        await _load(session, interactor)
        patient = submission.limits.patient()
        pair = await session.run_pair(b"", patient, link="pipes", files=files)
    timed(pair.program)
    return pair


def _is_settled(progress: Progress, index: int, pair: Pair) -> bool:
    """Take in a pair's outcome; False if the interactor failed, which may be anybody's fault.

    A program that fails after the interactor refused it has only noticed.
    """
    program = pair.program
    if program.status in (Status.OK, Status.RUNTIME_ERROR):
        try:
            points = points_of(pair.judge)
        except CheckerFailed:
            return False
        progress.decide(index, program, points, is_forgiven=points == 0.0)
    else:
        progress.decide(index, program, 0.0)
    return True


async def _load(session: Session, interactor: Program) -> None:
    loaded = await load_judge(session, interactor)
    if loaded.status is not Status.OK:
        raise CheckerFailed(f"the interactor does not compile: {loaded.stderr[:500]!r}")


def _files(progress: Progress, index: int) -> dict[str, bytes]:
    """Input and answer; what is between them in testlib's order is the interactor's to write."""
    test = progress.submission.tests[index]
    expected = test.output if isinstance(test, TestCase) else b""
    first, _, last = PROGRAM_CHECKER_FILES
    return {first: test.stdin(), last: expected}


async def _fails_by_itself(
    pool: SlotPool, interactor: Program, files: dict[str, bytes], deadline: float
) -> bool:
    async with pool.session(_LISTENER, deadline=deadline) as session:
        await session.compile()
        await _load(session, interactor)
        pair = await session.run_pair(b"", _LISTENING, link="pipes", files=files)
    return pair.program.status is not Status.TIME_LIMIT_EXCEEDED
