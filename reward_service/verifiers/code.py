"""
Code rule: the program in the completion passes its tests.

Two pure halves around a run in the sandbox: `submission` takes the program out of the completion,
`score` reads the judgement. The expected outputs stay on this side; the sandbox gets inputs only.
"""

from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from reward_service.extract import CodeFrom, code_text, find_spans
from reward_service.verdicts import Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Verifier
from reward_service.verifiers.code_tests import KINDS, MAX_TEST_CODE, check_test_code
from sandbox import (
    LANGUAGES,
    MAX_LIMITS,
    MAX_OUTPUTS,
    CallCase,
    Judgement,
    Limits,
    Program,
    Submission,
    TestCase,
    TestCode,
    TestResult,
    file_names,
    parse_checker,
)
from sandbox import Verdict as TestVerdict

MAX_TESTS = 1_000
MAX_TEST_TEXT = 16 * 2**20
MAX_TOTAL_CPU_S = 3_600
SHOWN_TESTS = 20

_CLOSED = Verifier.model_config
_ENTRY_POINT = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$"
_FIELDS = {"stdin": "`input` and `output`", "function": "`args`, `kwargs` and `expected`"}


def _is_language(name: str, info: ValidationInfo) -> str:
    if name not in LANGUAGES:
        raise ValueError("unknown language; known: " + ", ".join(LANGUAGES))
    held = (info.context or {}).get("languages")
    if held is not None and name not in held:
        raise ValueError(f"the sandbox does not hold it, only {', '.join(held) or 'none'}")
    return name


def _is_checker(params: dict[str, Any]) -> dict[str, Any]:
    parse_checker(params)
    return params


def _are_files(files: dict[str, str]) -> dict[str, str]:
    Program("python", "", {name: text.encode() for name, text in files.items()})
    return files


def _are_args(args: tuple[str, ...]) -> tuple[str, ...]:
    Program("python", "", args=args)
    return args


def _is_env(env: dict[str, str]) -> dict[str, str]:
    Program("python", "", env=env)
    return env


FileName = Annotated[str, Field(min_length=1, max_length=1_000)]
Word = Annotated[str, Field(max_length=3_000)]
CheckerSpec = Annotated[dict[str, Any], AfterValidator(_is_checker)]
TestText = Annotated[str, Field(max_length=MAX_TEST_TEXT)]


class _Test(BaseModel):
    model_config = _CLOSED

    weight: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Its share of the score under `fraction` and `groups`."""
    group: Annotated[str, Field(max_length=64)] | None = None
    """Under `groups` the tests of one group earn their weights together or not at all."""


class StdinTest(_Test):
    """One input with its expected output."""

    input: TestText = ""
    output: TestText
    checker: CheckerSpec | None = None
    """Instead of the task's checker."""
    output_files: Annotated[dict[FileName, TestText], Field(max_length=MAX_OUTPUTS)] = Field(
        default_factory=dict
    )
    """Files that the program must leave in its work directory, with their expected content."""


class FunctionTest(_Test):
    """One call with the value it should return, as plain JSON."""

    args: list[Any] = Field(default_factory=list)
    keywords: dict[str, Any] = Field(default_factory=dict, validation_alias=AliasChoices("kwargs"))
    """Python only."""
    expected: Any


def _form(test: object) -> str:
    return "function" if isinstance(test, dict | FunctionTest) and "expected" in test else "stdin"


AnyTest = Annotated[
    Annotated[StdinTest, Tag("stdin")] | Annotated[FunctionTest, Tag("function")],
    Discriminator(_form),
]


class RunLimits(BaseModel):
    """Limits of one test run; CPU time decides, the wall clock is for programs that wait."""

    model_config = _CLOSED

    cpu_s: Annotated[float, Field(gt=0, le=MAX_LIMITS["cpu_s"])] = Limits().cpu_s
    wall_s: Annotated[float, Field(gt=0, le=MAX_LIMITS["wall_s"])] = Limits().wall_s
    memory_mb: Annotated[int, Field(gt=0, le=MAX_LIMITS["memory_mb"])] = Limits().memory_mb
    output_kb: Annotated[int, Field(gt=0, le=MAX_LIMITS["output_kb"])] = Limits().output_kb
    processes: Annotated[int, Field(gt=0, le=MAX_LIMITS["processes"])] = Limits().processes
    disk_mb: Annotated[int, Field(gt=0, le=MAX_LIMITS["disk_mb"])] = Limits().disk_mb


class Code(Verifier):
    """The completion's program passes its tests, each in a fresh jail."""

    place: ClassVar[Place] = "sandbox"

    language: Annotated[
        str, AfterValidator(_is_language), Field(json_schema_extra={"enum": list(LANGUAGES)})
    ] = "python"
    """The language the program must be written in; `GET /v1/languages` lists what can be run."""
    kind: Literal["stdin", "function", "assert", "unittest", "pytest"] = "stdin"
    """`stdin`: a program that reads its input and prints its output. `function`: a program that
    defines `entry_point`, in one of the languages of docs/typed_calls.md; its results are compared
    by type and value, outside the sandbox. `assert`, `unittest`, `pytest`: `test_code` uses
    the program from another jail."""
    entry_point: Annotated[str, Field(pattern=_ENTRY_POINT, max_length=200)] | None = None
    """For `function`: `name`, or `Class.method` of an instance made without arguments; a `name` may
    also be a method of a class `Solution`. For `assert`: the same, if `test_code` wants it by that
    name or as the argument of `check`."""
    tests: Annotated[tuple[AnyTest, ...], Field(max_length=MAX_TESTS)] = Field(
        default=(), validate_default=True
    )
    """All of them count; one that was not run is not passed."""
    test_code: Annotated[str, Field(max_length=MAX_TEST_CODE)] | None = Field(
        default=None, validate_default=True
    )
    """Instead of `tests`: code that runs in a jail of its own. The program's module is whatever it
    imports that exists nowhere else."""
    checker: CheckerSpec = Field(default={"name": "tokens"})
    """How an output is compared with the expected one, unless the test says otherwise."""
    scoring: Literal["all_or_nothing", "fraction", "groups"] = "all_or_nothing"
    """What a partly right program earns."""
    limits: RunLimits = RunLimits()
    """Limits of each test run."""
    total_cpu_s: Annotated[float, Field(gt=0, le=MAX_TOTAL_CPU_S)] | None = None
    """CPU time of all tests together; one that it leaves no time for exceeds its time limit.
    Null: what the limits of the single tests add up to."""
    files: Annotated[dict[FileName, TestText], AfterValidator(_are_files)] = Field(
        default_factory=dict
    )
    """Files beside the program, by relative name; expected values do not belong here. With test
    code they are beside that, where the program cannot see them."""
    args: Annotated[tuple[Word, ...], AfterValidator(_are_args)] = ()
    """Command-line arguments of the program; at most 3,000 characters in all."""
    env: Annotated[dict[Word, Word], AfterValidator(_is_env)] = Field(default_factory=dict)
    """Further environment variables; at most 3,000 characters in all."""
    extract: CodeFrom = "auto"
    """Where in the completion the program is looked for."""
    allow_nonzero_exit: bool = False
    """Whether a program that prints the right output and then fails may pass."""

    @field_validator("tests")
    @classmethod
    def _has_tests(cls, tests: tuple[AnyTest, ...], info: ValidationInfo) -> tuple[AnyTest, ...]:
        if not tests and info.data.get("kind") not in KINDS:
            raise ValueError("one test at least")
        return tests

    @field_validator("test_code")
    @classmethod
    def _is_test_code(cls, text: str | None, info: ValidationInfo) -> str | None:
        kind, language = info.data.get("kind"), info.data.get("language")
        if kind is not None and language is not None:
            check_test_code(text, kind, language, info.data.get("entry_point"))
        return text

    @model_validator(mode="after")
    def _tests_fit_the_kind(self) -> Self:
        if self.kind in KINDS:
            self._submission("")  # refuses tests, and whatever else does not go with test code
            return self
        is_function = self.kind == "function"
        if any(isinstance(test, FunctionTest) is not is_function for test in self.tests):
            raise ValueError(f"kind {self.kind} takes tests with {_FIELDS[self.kind]}")
        if is_function is (self.entry_point is None):
            raise ValueError("`entry_point` is given with kind function and only then")
        if not any(test.weight for test in self.tests):
            raise ValueError("one test at least must have a weight above 0")
        if file_names(self._program("")) and (is_function or self._output_files()):
            self._submission("")  # refuses what does not go together, and costs more
        return self

    def submission(self, attempt: Attempt) -> Submission | Score:
        """The program with its tests, or the verdict that there is none."""
        if not attempt.completion.strip():
            return Score(Verdict.NO_ANSWER, 0.0, "empty_completion")
        spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
        fence = LANGUAGES[self.language].fence or self.language
        source = code_text(attempt.completion, spans, self.extract, fence)
        if source is None or not source.strip():
            return Score(Verdict.NO_ANSWER, 0.0, "no_code")
        return self._submission(source)

    def _submission(self, source: str) -> Submission:
        """The program with its tests. ValueError if the parameters do not fit together."""
        return Submission(
            test_code=self._test_code(),
            program=self._program(source),
            tests=tuple(self._case(test) for test in self.tests),
            checker=parse_checker(self.checker),
            limits=Limits(**self.limits.model_dump()),
            scoring=self.scoring,
            allow_nonzero_exit=self.allow_nonzero_exit,
            total_cpu_s=self.total_cpu_s,
        )

    def _program(self, source: str) -> Program:
        return Program(
            self.language,
            source,
            {} if self.kind in KINDS else self._files(),
            self.args,
            self.env,
            tuple(sorted(self._output_files())),
        )

    def _files(self) -> dict[str, bytes]:
        return {name: text.encode() for name, text in self.files.items()}

    def _test_code(self) -> TestCode | None:
        if self.test_code is None or self.kind not in KINDS:
            return None
        kind = cast(Literal["assert", "unittest", "pytest"], self.kind)
        return TestCode(kind, self.test_code, self.entry_point, self._files())

    def _output_files(self) -> set[str]:
        return {name for t in self.tests if isinstance(t, StdinTest) for name in t.output_files}

    def _case(self, test: StdinTest | FunctionTest) -> TestCase | CallCase:
        if isinstance(test, FunctionTest):
            return CallCase(
                call=self.entry_point or "",
                args=tuple(test.args),
                expected=test.expected,
                kwargs=test.keywords,
                weight=test.weight,
                group=test.group,
            )
        return TestCase(
            input=test.input.encode(),
            output=test.output.encode(),
            output_files={name: text.encode() for name, text in test.output_files.items()},
            checker=parse_checker(test.checker) if test.checker is not None else None,
            weight=test.weight,
            group=test.group,
        )

    def score(self, judgement: Judgement) -> Score:
        """What the judgement is worth, and the first tests' details."""
        details: dict[str, Any] = {"passed": judgement.passed, "total": judgement.total}
        if judgement.compile_output:
            details["compile_output"] = judgement.compile_output
        if judgement.trust is not None:
            details["trust"] = judgement.trust
        details["tests"] = [_shown(result) for result in judgement.tests[:SHOWN_TESTS]]
        verdict = Verdict(judgement.verdict.value)
        return Score(verdict, judgement.score, _reason(judgement), details, judgement.flags)


def _reason(judgement: Judgement) -> str:
    """`all_tests_passed`, `does_not_compile`, or which test failed first, counted from 0."""
    if judgement.verdict is TestVerdict.CORRECT:
        return "all_tests_passed"
    if judgement.verdict is TestVerdict.COMPILE_ERROR:
        return "does_not_compile"
    fine = (TestVerdict.CORRECT, TestVerdict.SKIPPED)
    bad = (i for i, result in enumerate(judgement.tests) if result.verdict not in fine)
    failed = next(bad, None)  # none, if the program failed after all its tests had passed
    return ("" if failed is None else f"test_{failed}_") + judgement.verdict.value


def _shown(result: TestResult) -> dict[str, Any]:
    if result.name:
        verdict = result.verdict.value
        return {"name": result.name, "verdict": verdict, "message": result.message}
    return {
        "verdict": result.verdict.value,
        "time_ms": {"cpu": round(result.cpu_ms, 1), "wall": round(result.wall_ms, 1)},
        "memory_kb": result.memory_kb,
        "exit": result.exit_code,
        "signal": result.signal,
        "stdout_tail": result.stdout_tail,
        "stderr_tail": result.stderr_tail,
    }
