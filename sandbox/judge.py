"""
The judge: runs a submission's tests and turns what it saw into a verdict.

It runs outside the sandbox, and expected outputs never leave it: a slot is given the program and
one input at a time, and hands back bytes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from sandbox.base import MAX_LIMITS, Limits, Program, Run, SandboxError, SlotLost, Status
from sandbox.checkers import Checker
from sandbox.pool import SlotPool


class Verdict(StrEnum):
    """What was found about a submission, or about one test of it."""

    CORRECT = "correct"
    WRONG_ANSWER = "wrong_answer"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"
    SKIPPED = "skipped"
    """Of a test only: it could no longer change the score."""


Scoring = Literal["all_or_nothing", "fraction", "groups"]
"""`groups`: a group earns the sum of its tests' weights if all of them pass, else nothing."""


@dataclass(frozen=True, slots=True)
class TestCase:
    """One input with its expected output. A test without a group is a group of its own."""

    __test__ = False  # the name starts as pytest's test classes do

    input: bytes
    output: bytes
    checker: Checker | None = None
    """Instead of the submission's."""
    weight: float = 1.0
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A program with all that decides its verdict. ValueError if it holds no test."""

    program: Program
    tests: tuple[TestCase, ...]
    checker: Checker = Checker()  # noqa: RUF009 (frozen)
    limits: Limits = Limits()  # noqa: RUF009 (frozen)
    scoring: Scoring = "all_or_nothing"
    allow_nonzero_exit: bool = False

    def __post_init__(self) -> None:
        """Without a test everything would pass."""
        if not self.tests:
            raise ValueError("tests must hold at least one test case")
        if any(test.weight < 0 for test in self.tests) or not any(t.weight for t in self.tests):
            raise ValueError("weights must be at least 0, and one of them above 0")


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test showed; the tails are for people and may be cut anywhere."""

    __test__ = False

    verdict: Verdict
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    memory_kb: int = 0
    exit_code: int | None = None
    signal: int | None = None
    stdout_tail: str = ""
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict is `correct`, or that of the first test that was not."""

    verdict: Verdict
    score: float
    """0 to 1, by the submission's scoring."""
    passed: int
    total: int
    """Always the number of tests given; a skipped test is not a passed one."""
    tests: tuple[TestResult, ...]
    compile_output: str = ""
    flags: tuple[str, ...] = ()
    """Hints that the program tried something odd; never part of the score."""


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
                test = submission.tests[starved]
                run = await run_alone(
                    pool, submission.program, test.input, submission.limits, deadline
                )
                progress.record(starved, run)
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
            run = await session.run(submission.tests[index].input, submission.limits)
            if run.was_starved:
                return index
            progress.record(index, run)
    return None


async def run_alone(
    pool: SlotPool, program: Program, stdin: bytes, limits: Limits, deadline: float
) -> Run:
    """Repeat a run that the host starved, with nothing beside it and `PATIENCE`.

    Raises SandboxError if the host is too busy even so: then nothing is known about the program.
    """
    # On a busy host a program that computes needs longer to use up its CPU time.
    patient = replace(limits, wall_s=min(PATIENCE * limits.wall_s, MAX_LIMITS["wall_s"]))
    async with pool.session(program, deadline=deadline, is_alone=True) as session:
        await session.compile()
        run = await session.run(stdin, patient)
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


def _verdict(submission: Submission, test: TestCase, run: Run) -> Verdict:
    if run.status is Status.RUNTIME_ERROR and not _is_forgiven(submission, run):
        return Verdict.RUNTIME_ERROR
    if run.status not in (Status.OK, Status.RUNTIME_ERROR):
        return Verdict(run.status.value)
    checker = test.checker or submission.checker
    is_right = checker.accepts(test.output, run.stdout)
    return Verdict.CORRECT if is_right else Verdict.WRONG_ANSWER


def _is_forgiven(submission: Submission, run: Run) -> bool:
    return submission.allow_nonzero_exit and run.exit_code is not None


def _text(tail: bytes) -> str:
    return tail.decode("utf-8", "replace")
