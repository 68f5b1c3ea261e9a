"""Interactive tasks: a program talks to the task's interactor, whose exit status decides."""

import pytest

from sandbox import (
    Limits,
    PooledSandbox,
    Program,
    SandboxError,
    Submission,
    TestCase,
    parse_checker,
)
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = read("code_interactors.jsonl")
CASES = [pytest.param(row, id=row["id"]) for row in ROWS]
BISECTION = ROWS[0]["source"]


def submission_of(row: Row) -> Submission:
    checker = {"name": "interactor", "language": row["language"], "source": row["interactor"]}
    return Submission(
        Program("python", row["source"]),
        (TestCase(b"321", b""), TestCase(b"7", b"")),
        checker=parse_checker(checker),
        limits=Limits(**row.get("limits", {})),
    )


@pytest.mark.parametrize("row", CASES)
async def test_the_interactor_decides(sandbox: PooledSandbox, deadline: float, row: Row) -> None:
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict == row["verdict"], (row["why"], judgement)
    assert judgement.score == float(row["verdict"] == "correct")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        pytest.param("1 / 0", "ZeroDivisionError", id="crashes-at-once"),
        pytest.param("import sys\nsys.exit(3)", "ended with 3", id="says-so"),
        pytest.param("def (", "SyntaxError", id="does-not-parse"),
    ],
)
async def test_an_interactor_that_fails_by_itself_is_no_verdict(
    sandbox: PooledSandbox, deadline: float, source: str, why: str
) -> None:
    row = {"source": BISECTION, "interactor": source, "language": "python"}
    with pytest.raises(SandboxError, match=why):
        await sandbox.judge(submission_of(row), deadline=deadline)


async def test_one_interactor_serves_all_tests() -> None:
    checker = parse_checker({"name": "interactor", "language": "python", "source": "1"})
    with pytest.raises(ValueError, match="all tests or of none"):
        Submission(Program("python", ""), (TestCase(b"", b"", checker=checker),))
