"""
Judging by test code: it runs in one jail and the submission in another, see `agent.trial`.

The judge's side alone can write the report that is read here; a pass is a complete report in which
every planned test has passed.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.base import CheckerFailed, Pair, Program, Roles, Run, Status
from sandbox.flags import flags_of_source
from sandbox.patience import alone, load_judge, prepared, timed
from sandbox.pool import SlotPool
from sandbox.session import Session
from sandbox.submission import Judgement, Submission, TestCode, TestResult, Verdict
from sandbox.two_box import Uncallable, boxes

MAX_TESTS = 5_000
MAX_TAIL = 500

JUDGES_OWN = 20
"""A judge that took this many times the program's CPU time was not kept busy by the program."""
JUDGES_LEAST_MS = 2_000.0
"""And so much at least: to read one large answer takes up to a second."""

_RAN_OUT = (Status.TIME_LIMIT_EXCEEDED, Status.MEMORY_LIMIT_EXCEEDED)

_DO_NOT_FIT = b"the tests do not compile with the types that the program declares"

_VERDICTS = {
    "passed": Verdict.CORRECT,
    "failed": Verdict.WRONG_ANSWER,
    "error": Verdict.RUNTIME_ERROR,
    "skipped": Verdict.WRONG_ANSWER,
}


@dataclass(slots=True)
class Report:
    """What the judge's side said."""

    plan: list[str] = field(default_factory=list)
    outcomes: dict[int, str] = field(default_factory=dict)
    messages: dict[int, str] = field(default_factory=dict)
    is_done: bool = False
    flags: list[str] = field(default_factory=list)
    fault: str | None = None

    @property
    def passed(self) -> int:
        """How many of the planned tests did."""
        return sum(outcome == "passed" for outcome in self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Trial:
    """A pair of programs that decides about one submission."""

    program: Program
    judge: Program
    stdin: bytes = b""
    roles: Roles = Roles()  # noqa: RUF009 (frozen)
    is_typed_by_program: bool = False
    """Whether the judge holds signatures of the program's, and may fail to compile with them."""


def trial_of(submission: Submission, code: TestCode) -> Trial:
    """The two sides for this language. Uncallable if there is nothing that the tests could call."""
    if submission.program.language != "python":
        program, judge = boxes(submission.program, code.source, code.entry_point)
        return Trial(program, replace(judge, files=code.files), is_typed_by_program=True)
    request = {
        "kind": code.kind,
        "entry_point": code.entry_point,
        "is_fail_fast": submission.scoring == "all_or_nothing",
    }
    return Trial(
        program=submission.program,
        judge=Program("python", code.source, files=code.files),
        stdin=json.dumps(request).encode(),
        roles=Roles(program="serve", judge="judge"),
    )


async def judge_test_code(
    pool: SlotPool, submission: Submission, code: TestCode, *, deadline: float
) -> Judgement:
    """Run the tests once, in two jails.

    Raises CheckerFailed if the test code fails by itself, SlotLost and DeadlineExceeded.
    """
    try:
        trial = trial_of(submission, code)
    except Uncallable as reason:
        return _not_compiled(submission, Run(Status.COMPILE_ERROR, stderr=str(reason).encode()))
    async with prepared(pool, trial.program, deadline) as (session, compiled):
        if compiled.status is Status.OK:
            compiled = await _load_judge(session, trial)
        if compiled.status is not Status.OK:
            return _not_compiled(submission, compiled)
        pair = await session.run_pair(trial.stdin, submission.limits, roles=trial.roles)
    if pair.program.was_starved:
        async with alone(pool, trial.program, deadline) as (session, _):
            await _load_judge(session, trial)
            patient = submission.limits.patient()
            pair = await session.run_pair(trial.stdin, patient, roles=trial.roles)
        timed(pair.program)
    return _judgement(submission, pair, read_report(pair.judge.result))


async def _load_judge(session: Session, trial: Trial) -> Run:
    loaded = await load_judge(session, trial.judge)
    if loaded.status is not Status.OK and not trial.is_typed_by_program:
        raise CheckerFailed(f"the test code does not compile: {loaded.stderr[:500]!r}")
    # Not the compiler's words: they quote the tests.
    return replace(loaded, stderr=_DO_NOT_FIT) if loaded.status is not Status.OK else loaded


def read_report(text: bytes) -> Report:
    """Put the judge's lines together. CheckerFailed if they are none."""
    report = Report()
    try:
        for line in text.splitlines():
            _take(report, json.loads(line))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CheckerFailed(f"the report of the test code cannot be read: {error}") from error
    return report


def _take(report: Report, line: dict[str, Any]) -> None:
    match line:
        case {"plan": list(names)}:
            report.plan = [str(name) for name in names[:MAX_TESTS]]
        case {"test": int(test), "outcome": str(outcome), "message": str(message)}:
            report.outcomes[test] = outcome
            report.messages[test] = message
        case {"done": True, "flags": list(flags)}:
            report.is_done, report.flags = True, [str(flag) for flag in flags]
        case {"fault": str(why)}:
            report.fault = why
        case _:
            raise ValueError(f"a line of no known form: {line}")


def _not_compiled(submission: Submission, compiled: Run) -> Judgement:
    output = compiled.stderr[:4000].decode("utf-8", "replace")
    return Judgement(Verdict.COMPILE_ERROR, 0.0, 0, 0, (), compile_output=output)


def _judgement(submission: Submission, pair: Pair, report: Report) -> Judgement:
    stopped = _stopped(pair)
    if stopped is None and report.fault is not None:
        raise CheckerFailed(report.fault)
    if stopped is None and not (report.is_done and report.plan):
        words = pair.judge.stderr[-MAX_TAIL:].decode("utf-8", "replace")
        raise CheckerFailed(f"the test code ended without a verdict: {words}")
    tests = _results(pair, report, stopped)
    fine = (Verdict.CORRECT, Verdict.SKIPPED)
    verdict = stopped or next((t.verdict for t in tests if t.verdict not in fine), Verdict.CORRECT)
    if verdict is Verdict.CORRECT and report.passed != len(tests):
        raise CheckerFailed("the report of the test code is not complete")
    share = report.passed / len(tests) if tests and submission.scoring == "fraction" else 0.0
    program = submission.program
    flags = flags_of_source(program.language, program.source) | set(report.flags)
    return Judgement(
        verdict,
        1.0 if verdict is Verdict.CORRECT else min(share, 1.0),
        passed=report.passed,
        total=len(tests),
        tests=tests,
        trust="two_box",
        flags=tuple(sorted(flags)),
    )


def _stopped(pair: Pair) -> Verdict | None:
    """The verdict if it is in how the two ended, whatever was reported.

    CheckerFailed if it was the test code alone that used up the time or the memory.
    """
    program, judge = pair.program, pair.judge
    ends = (program.status, judge.status)
    is_judges_own = program.cpu_ms * JUDGES_OWN < judge.cpu_ms > JUDGES_LEAST_MS
    if is_judges_own and any(status in _RAN_OUT for status in ends):
        raise CheckerFailed("the test code itself used up the time or the memory")
    if program.status is not Status.OK:
        return Verdict(program.status.value)
    if judge.status in (*_RAN_OUT, Status.OUTPUT_LIMIT_EXCEEDED):
        return Verdict(judge.status.value)
    return None


def _results(pair: Pair, report: Report, stopped: Verdict | None) -> tuple[TestResult, ...]:
    missing = stopped or Verdict.SKIPPED
    results = [
        TestResult(
            _VERDICTS[report.outcomes[number]] if number in report.outcomes else missing,
            name=name,
            message=report.messages.get(number, ""),
            points=float(report.outcomes.get(number) == "passed"),
        )
        for number, name in enumerate(report.plan or ["all of it"])
    ]
    return tuple(results)
