"""What a partly right program earns, and checkers that are programs."""

import time

import pytest

from sandbox import (
    CheckerFailed,
    PooledSandbox,
    Program,
    Submission,
    TestCase,
    Verdict,
    parse_checker,
)
from sandbox.submission import Scoring

pytestmark = pytest.mark.asyncio(loop_scope="session")

ODD_IS_WRONG = Program("python", "n = int(input())\nprint(n if n % 2 == 0 else -1)")
TESTS = tuple(
    TestCase(str(n).encode(), str(n).encode(), weight=weight, group=group)
    for n, weight, group in ((0, 1, "a"), (1, 2, "a"), (2, 3, "b"), (4, 4, "b"), (6, 5, None))
)
SKIPPED, RIGHT, WRONG = Verdict.SKIPPED, Verdict.CORRECT, Verdict.WRONG_ANSWER


@pytest.mark.parametrize(
    ("scoring", "score", "verdicts"),
    [
        pytest.param("all_or_nothing", 0.0, [RIGHT, WRONG, *[SKIPPED] * 3], id="all-or-nothing"),
        pytest.param("fraction", 13 / 15, [RIGHT, WRONG, RIGHT, RIGHT, RIGHT], id="fraction"),
        pytest.param("groups", 12 / 15, [RIGHT, WRONG, RIGHT, RIGHT, RIGHT], id="groups"),
    ],
)
async def test_a_partly_right_program_earns_by_its_scoring(
    sandbox: PooledSandbox,
    deadline: float,
    scoring: Scoring,
    score: float,
    verdicts: list[Verdict],
) -> None:
    submission = Submission(ODD_IS_WRONG, TESTS, scoring=scoring)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.score == pytest.approx(score)
    assert judgement.verdict is Verdict.WRONG_ANSWER
    assert [result.verdict for result in judgement.tests] == verdicts
    assert (judgement.passed, judgement.total) == (verdicts.count(RIGHT), 5)


async def test_a_failed_group_needs_no_further_runs(
    sandbox: PooledSandbox, deadline: float
) -> None:
    tests = tuple(TestCase(str(n).encode(), str(n).encode(), group="g") for n in (1, 2, 4))
    submission = Submission(ODD_IS_WRONG, tests, scoring="groups")
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert [result.verdict for result in judgement.tests] == [WRONG, SKIPPED, SKIPPED]


async def test_a_program_that_does_not_compile_skips_its_tests(
    sandbox: PooledSandbox, deadline: float
) -> None:
    submission = Submission(Program("cpp", "int main() {"), TESTS, scoring="fraction")
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict, judgement.score) == (Verdict.COMPILE_ERROR, 0.0)
    assert {result.verdict for result in judgement.tests} == {SKIPPED}
    assert "main.cpp" in judgement.compile_output


@pytest.mark.parametrize(
    ("source", "verdict", "score"),
    [
        pytest.param("print(1); exit(3)", RIGHT, 1.0, id="right-output"),
        pytest.param("print(2); exit(3)", WRONG, 0.0, id="wrong-output"),
        pytest.param(
            "import os; print(1, flush=True); os.kill(os.getpid(), 9)",
            Verdict.RUNTIME_ERROR,
            0.0,
            id="a-signal-is-not-forgiven",
        ),
    ],
)
async def test_an_exit_status_may_be_forgiven(
    sandbox: PooledSandbox, deadline: float, source: str, verdict: Verdict, score: float
) -> None:
    submission = Submission(
        Program("python", source), (TestCase(b"", b"1"),), allow_nonzero_exit=True
    )
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict, judgement.score) == (verdict, score)


ANY_DIVISOR = """
#include <fstream>
#include <iostream>
int main(int argc, char **argv) {
    std::ifstream input(argv[1]), output(argv[2]), answer(argv[3]);
    long long n, d, best;
    input >> n;
    answer >> best;
    if (!(output >> d)) return 2;
    if (d <= 1 || n % d) return 1;
    if (d == best) return 0;
    std::cerr << "points 0.5";
    return 7;
}
"""


@pytest.mark.parametrize(
    ("source", "verdict", "score"),
    [
        pytest.param("print(7)", RIGHT, 1.0, id="accepted"),
        pytest.param("print(3)", WRONG, 0.5, id="points"),
        pytest.param("print(5)", WRONG, 0.0, id="refused"),
        pytest.param("print('x')", WRONG, 0.0, id="not-in-the-right-form"),
        pytest.param("exit(1)", Verdict.RUNTIME_ERROR, 0.0, id="not-asked-about-a-crash"),
        pytest.param(
            "import os\nprint(7 if os.path.exists('answer.txt') else 5)",
            WRONG,
            0.0,
            id="no-peeking",
        ),
    ],
)
async def test_a_checker_program_decides(
    sandbox: PooledSandbox, deadline: float, source: str, verdict: Verdict, score: float
) -> None:
    checker = parse_checker({"name": "program", "language": "cpp", "source": ANY_DIVISOR})
    tests = (TestCase(b"21", b"7"), TestCase(b"42", b"7"))
    submission = Submission(Program("python", source), tests, checker, scoring="fraction")
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict, judgement.score) == (verdict, score)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("exit(3)", id="its-own-fault"),
        pytest.param("raise ValueError", id="exception"),
        pytest.param("while True: pass", id="endless"),
        pytest.param("import os; os.abort()", id="crash"),
    ],
)
async def test_a_broken_checker_is_an_error_and_no_verdict(
    sandbox: PooledSandbox, source: str
) -> None:
    deadline = time.time() + 600  # on a busy host the endless one takes all its patience, twice
    checker = parse_checker({"name": "program", "language": "python", "source": source})
    submission = Submission(Program("python", "print(1)"), (TestCase(b"", b"1"),), checker)
    with pytest.raises(CheckerFailed, match="checker"):
        await sandbox.judge(submission, deadline=deadline)


@pytest.mark.parametrize(
    ("scoring", "total_cpu_s", "verdict", "score"),
    [
        pytest.param("all_or_nothing", 0.25, Verdict.TIME_LIMIT_EXCEEDED, 0.0, id="too-little"),
        pytest.param("fraction", 0.25, Verdict.TIME_LIMIT_EXCEEDED, 0.5, id="half"),
        pytest.param("fraction", 60.0, RIGHT, 1.0, id="enough"),
    ],
)
async def test_a_submission_has_a_limit_of_its_own(
    sandbox: PooledSandbox,
    deadline: float,
    scoring: Scoring,
    total_cpu_s: float,
    verdict: Verdict,
    score: float,
) -> None:
    source = "import time\nwhile time.process_time() < 0.2: pass\nprint(1)"
    tests = (TestCase(b"", b"1"),) * 4
    submission = Submission(
        Program("python", source), tests, scoring=scoring, total_cpu_s=total_cpu_s
    )
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict, judgement.score, judgement.total) == (verdict, score, 4)


FRAGILE = "import sys\nsys.exit(abs(int(open(sys.argv[2]).read()) - int(open(sys.argv[3]).read())))"


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        pytest.param("print(7)", RIGHT, id="right"),
        pytest.param("print('seven')", WRONG, id="checker-raises"),
        pytest.param("print(10)", WRONG, id="checker-ends-with-3"),
        pytest.param("print('9' * 5000)", WRONG, id="checker-refuses-the-length"),
    ],
)
async def test_a_program_cannot_choose_that_its_checker_fails(
    sandbox: PooledSandbox, deadline: float, source: str, verdict: Verdict
) -> None:
    checker = parse_checker({"name": "program", "language": "python", "source": FRAGILE})
    submission = Submission(Program("python", source), (TestCase(b"", b"7"),), checker)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is verdict


@pytest.mark.parametrize(
    ("tests", "named"),
    [
        pytest.param((), "tests", id="no-test"),
        pytest.param((TestCase(b"", b"", weight=0),), "weights", id="no-weight"),
        pytest.param((TestCase(b"", b"", weight=-1),), "weights", id="negative-weight"),
    ],
)
async def test_what_could_not_be_judged_is_refused(tests: tuple[TestCase, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Submission(ODD_IS_WRONG, tests)
