"""
How far a submission has come, and what that is worth.
"""

from sandbox.base import Program, Run, Status
from sandbox.calls import calling
from sandbox.checkers import PROGRAM_CHECKER_FILES
from sandbox.flags import flags_of_run, flags_of_source
from sandbox.submission import Judgement, Submission, TestCase, TestResult, Verdict

MAX_TAIL = 500
"""Bytes of a program's stdout and stderr kept for a test result."""

MAX_COMPILE_OUTPUT = 4000
"""Bytes of the compiler's messages kept: the first ones, later ones mostly follow from them."""


class Progress:
    """How far a submission has come.

    Scoring is a matter of groups: `all_or_nothing` is one group of all tests, `fraction` gives
    each test a group of its own. A group that failed needs no further runs.
    """

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.compiled: Run | None = None
        self._results: dict[int, TestResult] = {}
        self._unchecked: dict[int, Run] = {}
        self._next = 0
        self._cpu_ms = 0.0
        self._failed: set[object] = set()
        program, call = submission.program, submission.call
        self.program = program if call is None else calling(program, call)
        """What is compiled and run: the submission's, or what calls its function."""
        self._flags = flags_of_source(program.language, program.source)

    def next_test(self) -> int | None:
        """The first test that was not run and can still change the score."""
        if self.compiled is None or self.compiled.status is not Status.OK:
            return None
        total = len(self.submission.tests)
        while self._next < total and self.is_done(self._next):
            self._next += 1
        return self._next if self._next < total else None

    def next_unchecked(self) -> int | None:
        """A test whose output waits for a checker program and can still change the score."""
        for index in list(self._unchecked):
            if not self._has_failed(index):
                return index
            del self._unchecked[index]
        return None

    def is_over(self) -> bool:
        """Whether nothing can change the judgement any more."""
        has_tests = self.compiled is None or self.next_test() is not None
        return not has_tests and self.next_unchecked() is None

    def record(self, index: int, run: Run) -> None:
        """Take in how the program did on a test."""
        test = self.submission.tests[index]
        language, limits = self.submission.program.language, self.submission.limits
        self._flags |= flags_of_run(run, language, limits, is_call=test.call is not None)
        verdict = _verdict_of_run(self.submission, run)
        if verdict is not None:
            self._finish(index, run, verdict, 0.0)
        elif test.checker_program(self.submission.checker) is not None:
            self._unchecked[index] = run
        else:
            verdict = test.verdict(run, self.submission.checker)
            self._finish(index, run, verdict, float(verdict is Verdict.CORRECT))
        self._cpu_ms += run.cpu_ms
        total_s = self.submission.total_cpu_s
        if total_s is not None and self._cpu_ms > total_s * 1e3:
            self._leave_the_rest()

    def _leave_the_rest(self) -> None:
        for index in range(len(self.submission.tests)):
            if not self.is_done(index):
                late = Run(Status.TIME_LIMIT_EXCEEDED)
                self._finish(index, late, Verdict.TIME_LIMIT_EXCEEDED, 0.0)

    def decide(self, index: int, run: Run, points: float, *, is_forgiven: bool = False) -> None:
        """Take in how the program did on a test, and what an interactor says it earned."""
        language, limits = self.submission.program.language, self.submission.limits
        self._flags |= flags_of_run(run, language, limits, is_call=False)
        verdict = None if is_forgiven else _verdict_of_run(self.submission, run)
        if verdict is not None:
            self._finish(index, run, verdict, 0.0)
        else:
            verdict = Verdict.CORRECT if points == 1.0 else Verdict.WRONG_ANSWER
            self._finish(index, run, verdict, points)

    def checker_program(self, index: int) -> Program:
        """The program that decides about a test's output."""
        program = self.submission.tests[index].checker_program(self.submission.checker)
        if program is None:
            raise AssertionError("asked for the checker program of a test without one")
        return program

    def checker_files(self, index: int) -> dict[str, bytes]:
        """Input, output and answer, as a checker program finds them."""
        test = self.submission.tests[index]
        expected = test.output if isinstance(test, TestCase) else b""
        contents = (test.stdin(), self._unchecked[index].stdout, expected)
        return dict(zip(PROGRAM_CHECKER_FILES, contents, strict=True))

    def reference_files(self, index: int) -> dict[str, bytes]:
        """The same with the expected output in the place of the submission's."""
        files = self.checker_files(index)
        _, output, answer = PROGRAM_CHECKER_FILES
        return files | {output: files[answer]}

    def settle(self, index: int, points: float) -> None:
        """Take in what a checker program decided."""
        verdict = Verdict.CORRECT if points == 1.0 else Verdict.WRONG_ANSWER
        self._finish(index, self._unchecked.pop(index), verdict, points)

    def _finish(self, index: int, run: Run, verdict: Verdict, points: float) -> None:
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
            points=points,
        )

    def judgement(self) -> Judgement:
        compiled = self.compiled or Run(Status.OK)
        tests = self.submission.tests
        results = tuple(
            self._results.get(i, TestResult(Verdict.SKIPPED)) for i in range(len(tests))
        )
        bad = (r.verdict for r in results if r.verdict not in (Verdict.CORRECT, Verdict.SKIPPED))
        verdict = next(bad, Verdict.CORRECT)
        earned = sum(test.weight * self._points(i) for i, test in enumerate(tests))
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

    def _points(self, index: int) -> float:
        if self._has_failed(index) and self.submission.scoring != "fraction":
            return 0.0
        return self._results[index].points if index in self._results else 0.0

    def is_done(self, index: int) -> bool:
        """Whether the test was run, or cannot change the score any more."""
        return index in self._results or index in self._unchecked or self._has_failed(index)

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


def _verdict_of_run(submission: Submission, run: Run) -> Verdict | None:
    """The verdict if the run alone decides it, whatever the output."""
    if run.status is Status.OK or (
        run.status is Status.RUNTIME_ERROR and _is_forgiven(submission, run)
    ):
        return None
    return Verdict(run.status.value)


def _is_forgiven(submission: Submission, run: Run) -> bool:
    return submission.allow_nonzero_exit and run.exit_code is not None


def _text(tail: bytes) -> str:
    return tail.decode("utf-8", "replace")
