"""
The judge: runs a submission's tests and turns what it saw into a verdict.

It runs outside the sandbox, and expected outputs never leave it: a slot is given the program and
one input at a time, and hands back bytes.
"""

from dataclasses import replace

from sandbox.base import MAX_LIMITS, Limits, Program, Run, SandboxError, SlotLost, Status
from sandbox.flags import flags_of_run, flags_of_source
from sandbox.pool import SlotPool
from sandbox.submission import Judgement, Submission, Test, TestResult, Verdict

__all__ = ["Verdict", "judge", "run_alone"]

MAX_TAIL = 500
"""Bytes of a program's stdout and stderr kept for a test result."""

MAX_COMPILE_OUTPUT = 4000
"""Bytes of the compiler's messages kept: the first ones, later ones mostly follow from them."""

PATIENCE = 5
"""Factor on the wall-clock limit of a run that is repeated because the host starved it."""


async def judge(pool: SlotPool, submission: Submission, *, deadline: float) -> Judgement:
    """Judge on one slot; when that dies under a test, go on from this test on another slot.

    `deadline` is in Unix seconds. Raises SlotLost when a second slot died, too, and
    DeadlineExceeded.
    """
    progress = _Progress(submission)
    has_lost_a_slot = False
    while not progress.is_over():
        try:
            starved = await _run_tests(progress, pool, deadline)
            if starved is not None:
                progress.record(starved, await _repeat(pool, submission, starved, deadline))
        except SlotLost:
            if has_lost_a_slot:
                raise
            has_lost_a_slot = True
    return progress.judgement()


async def _run_tests(progress: "_Progress", pool: SlotPool, deadline: float) -> int | None:
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


async def run_alone(
    pool: SlotPool,
    program: Program,
    stdin: bytes,
    limits: Limits,
    deadline: float,
    *,
    call: str | None = None,
) -> Run:
    """Repeat a run that the host starved, with nothing beside it and `PATIENCE`.

    Raises SandboxError if the host is too busy even so: then nothing is known about the program.
    """
    # On a busy host a program that computes needs longer to use up its CPU time.
    patient = replace(limits, wall_s=min(PATIENCE * limits.wall_s, MAX_LIMITS["wall_s"]))
    async with pool.session(program, deadline=deadline, is_alone=True) as session:
        await session.compile()
        run = await session.run(stdin, patient, call=call)
    if run.was_starved:
        raise SandboxError("the host was too busy to time a run, even with no other run beside it")
    return run


class _Progress:
    """How far a submission has come.

    Scoring is a matter of groups: `all_or_nothing` is one group of all tests, `fraction` gives
    each test a group of its own. A group that failed needs no further runs.
    """

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.compiled: Run | None = None
        self._results: dict[int, TestResult] = {}
        self._failed: set[object] = set()
        program = submission.program
        self._flags = flags_of_source(program.language, program.source)

    def next_test(self) -> int | None:
        """The first test that was not run and can still change the score."""
        if self.compiled is None or self.compiled.status is not Status.OK:
            return None
        tests = range(len(self.submission.tests))
        open_tests = (i for i in tests if i not in self._results and not self._has_failed(i))
        return next(open_tests, None)

    def is_over(self) -> bool:
        return self.compiled is not None and self.next_test() is None

    def record(self, index: int, run: Run) -> None:
        test = self.submission.tests[index]
        verdict = _verdict(self.submission, test, run)
        self._flags |= flags_of_run(run, is_call=test.call is not None)
        if verdict is not Verdict.CORRECT:
            self._failed.add(self._group(index))
        self._results[index] = TestResult(
            verdict,
            run.cpu_ms,
            run.wall_ms,
            run.memory_kb,
            run.exit_code,
            run.signal,
            _text(run.stdout[-MAX_TAIL:]),
            _text(run.stderr[-MAX_TAIL:]),
        )

    def judgement(self) -> Judgement:
        compiled = self.compiled or Run(Status.OK)
        tests = self.submission.tests
        results = tuple(
            self._results.get(i, TestResult(Verdict.SKIPPED)) for i in range(len(tests))
        )
        bad = (r.verdict for r in results if r.verdict not in (Verdict.CORRECT, Verdict.SKIPPED))
        verdict = next(bad, Verdict.CORRECT)
        earned = sum(test.weight for i, test in enumerate(tests) if not self._has_failed(i))
        score = earned / sum(test.weight for test in tests)
        if compiled.status is not Status.OK:
            verdict, score = Verdict.COMPILE_ERROR, 0.0
        return Judgement(
            verdict,
            score,
            passed=sum(result.verdict is Verdict.CORRECT for result in results),
            total=len(tests),
            tests=results,
            compile_output=_text(compiled.stderr[:MAX_COMPILE_OUTPUT]),
            flags=tuple(sorted(self._flags)),
        )

    def _has_failed(self, index: int) -> bool:
        return self._group(index) in self._failed

    def _group(self, index: int) -> object:
        match self.submission.scoring:
            case "all_or_nothing":
                return None
            case "groups":
                return self.submission.tests[index].group or index
            case "fraction":
                return index


def _verdict(submission: Submission, test: Test, run: Run) -> Verdict:
    if run.status is Status.RUNTIME_ERROR and not _is_forgiven(submission, run):
        return Verdict.RUNTIME_ERROR
    if run.status not in (Status.OK, Status.RUNTIME_ERROR):
        return Verdict(run.status.value)
    return test.verdict(run, submission.checker)


def _is_forgiven(submission: Submission, run: Run) -> bool:
    return submission.allow_nonzero_exit and run.exit_code is not None


def _text(tail: bytes) -> str:
    return tail.decode("utf-8", "replace")
