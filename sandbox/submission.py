"""
What the judge is given and what it gives back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from sandbox import calls
from sandbox.base import Limits, Program, Run
from sandbox.checkers import Checker
from sandbox.languages import language_named
from sandbox.two_box import check_typed_tests
from sandbox.values import equal, parse_result


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
"""`groups`: a group earns the sum of its tests' weights if all of them pass, else nothing.

Only under `fraction` does a test earn a part of its weight, if a checker program says so.
"""


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
    output_files: Mapping[str, bytes] = field(default_factory=dict)
    """Expected content of some of the program's `outputs`, compared as the output is."""

    call: ClassVar[None] = None

    def checker_program(self, checker: Checker) -> Program | None:
        """The program that has to check the output, if one has to."""
        return (self.checker or checker).program

    def stdin(self) -> bytes:
        """What the program reads."""
        return self.input

    def verdict(self, run: Run, checker: Checker) -> Verdict:
        """The verdict on a run that ended well."""
        accepts = (self.checker or checker).accepts
        is_right = accepts(self.output, run.stdout) and all(
            name in run.files and accepts(expected, run.files[name])
            for name, expected in self.output_files.items()
        )
        return Verdict.CORRECT if is_right else Verdict.WRONG_ANSWER


@dataclass(frozen=True, slots=True)
class CallCase:
    """One call of a function of the program, with the value it should return, as plain JSON.

    `call` is `name`, or `Class.method` of an instance made without arguments; a bare name may be a
    method of a class `Solution`. Named arguments are for Python only.
    """

    call: str
    args: tuple[Any, ...]
    expected: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    group: str | None = None

    def checker_program(self, checker: Checker) -> Program | None:
        """None: values are compared as they are."""
        return None

    def stdin(self) -> bytes:
        """The arguments; the function itself finds its stdin at the end."""
        return json.dumps({"args": self.args, "kwargs": dict(self.kwargs)}).encode()

    def verdict(self, run: Run, checker: Checker) -> Verdict:
        """The verdict on a run that ended well; without a returned value it did not."""
        try:
            is_right = equal(self.expected, parse_result(run.result))
        except ValueError:
            return Verdict.RUNTIME_ERROR
        return Verdict.CORRECT if is_right else Verdict.WRONG_ANSWER


Test = TestCase | CallCase


Trust = Literal["two_box"]
"""Where test code runs: in another jail than the program. There is nothing weaker."""


@dataclass(frozen=True, slots=True)
class TestCode:
    """Tests as code. It runs in a jail of its own and uses the program through a link.

    `assert`: plain assertions, at the top or in a function `check`. `unittest`, `pytest`: what
    these find in it.
    """

    __test__ = False

    kind: Literal["assert", "unittest", "pytest"]
    source: str
    entry_point: str | None = None
    """The program's function that the code uses by this name, or that `check` is called with."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Beside the test code, where the program cannot see them."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A program with all that decides its verdict: tests, or one test code instead.

    ValueError if it holds no test.
    """

    program: Program
    tests: tuple[Test, ...] = ()
    checker: Checker = Checker()  # noqa: RUF009 (frozen)
    limits: Limits = Limits()  # noqa: RUF009 (frozen)
    scoring: Scoring = "all_or_nothing"
    allow_nonzero_exit: bool = False
    test_code: TestCode | None = None
    total_cpu_s: float | None = None
    """CPU time of all tests together; one that it leaves no time for exceeds its time limit."""

    def __post_init__(self) -> None:
        """Refuse what could not be judged; without a test everything would pass."""
        if self.test_code is not None:
            if self.tests or self.scoring == "groups":
                raise ValueError("test code comes alone, and has no groups")
            check_typed_tests(self.program.language, self.test_code.kind, self.test_code.source)
            return
        if not self.tests:
            raise ValueError("tests must hold at least one test case")
        if any(test.weight < 0 for test in self.tests) or not any(t.weight for t in self.tests):
            raise ValueError("weights must be at least 0, and one of them above 0")
        self._check_calls()
        for test in self.tests:
            if test.call is None and test.checker is not None and test.checker.interactor:
                raise ValueError("an interactor is the checker of all tests or of none")
            if isinstance(test, TestCase) and test.output_files:
                self._check_output_files(test)

    @property
    def call(self) -> str | None:
        """The function that the tests call; None if they run the program."""
        return self.tests[0].call if self.tests else None

    def _check_calls(self) -> None:
        language = language_named(self.program.language)
        if all(test.call is None for test in self.tests):
            return
        if language.is_warm:
            if self.program.args or self.program.env:
                raise ValueError(f"functions in {language.name} take no args and env of a program")
            return
        if language.name not in calls.LANGUAGES:
            raise ValueError(
                f"functions can be called in {', '.join(('python', *calls.LANGUAGES))}"
            )
        if len({test.call for test in self.tests}) > 1:
            raise ValueError(f"in {language.name} all tests call the same function")
        if any(isinstance(test, CallCase) and test.kwargs for test in self.tests):
            raise ValueError("kwargs are for python")

    def _check_output_files(self, test: TestCase) -> None:
        if not test.output_files.keys() <= set(self.program.outputs):
            raise ValueError("output_files must be among the outputs of the program")
        if test.checker_program(self.checker) is not None:
            raise ValueError("output_files cannot be compared by a checker program")


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
    name: str = ""
    """Of a test of test code: its function, or its line."""
    message: str = ""
    """Of a test of test code: why it did not pass."""
    points: float = 0.0
    """1 if it passed; a checker program may give a part of that for an output that did not."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict is `correct`, or that of the first test that was not."""

    verdict: Verdict
    score: float
    """0 to 1, by the submission's scoring."""
    passed: int
    total: int
    """Always the number of tests given; a skipped test is not a passed one.

    Test code says itself how many it holds, before the first of them runs.
    """
    tests: tuple[TestResult, ...]
    compile_output: str = ""
    trust: Trust | None = None
    """Of test code: whether the program had a jail of its own."""
    flags: tuple[str, ...] = ()
    """Hints that the program tried something odd; never part of the score."""
