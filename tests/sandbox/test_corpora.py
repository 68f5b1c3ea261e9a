"""Labelled programs: right ones are accepted, wrong ones and hacks are not."""

import pytest

from sandbox import PooledSandbox, Verdict
from tests.sandbox.sandbox_cases import Row, read, stdin_submission

pytestmark = pytest.mark.asyncio(loop_scope="session")

TASKS = [pytest.param(row, id=row["id"]) for row in read("code_tasks_own.jsonl")]
HACKS = [
    pytest.param(row, id=row["id"])
    for row in read("code_hacks.jsonl")
    if row["kind"] == "stdin" and row["language"] in ("python", "cpp")
]


@pytest.mark.parametrize("row", TASKS)
async def test_the_reference_is_accepted(sandbox: PooledSandbox, deadline: float, row: Row) -> None:
    submission = stdin_submission(row["reference_solution"], row["language"], row)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict, judgement.score) == (Verdict.CORRECT, 1.0)
    assert judgement.passed == judgement.total == len(row["tests"])


@pytest.mark.parametrize("row", TASKS)
async def test_the_wrong_solution_is_refused(
    sandbox: PooledSandbox, deadline: float, row: Row
) -> None:
    submission = stdin_submission(row["wrong_solution"], row["language"], row)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is not Verdict.CORRECT
    assert judgement.score == 0.0


@pytest.mark.parametrize("row", HACKS)
async def test_a_hack_earns_nothing_and_an_honest_program_all(
    sandbox: PooledSandbox, deadline: float, row: Row
) -> None:
    submission = stdin_submission(row["code"], row["language"], row["task"])
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (judgement.verdict is Verdict.CORRECT) is not row["must_not_pass"]
    assert judgement.score == (0.0 if row["must_not_pass"] else 1.0)
