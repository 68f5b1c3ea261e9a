"""Functions of a program: what they return is compared outside, by type and value."""

import pytest

from sandbox import CallCase, PooledSandbox, Program, Submission
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = [pytest.param(row, id=row["id"]) for row in read("code_calls.jsonl")]


@pytest.mark.parametrize("row", CASES)
async def test_a_returned_value_gets_its_verdict(
    sandbox: PooledSandbox, deadline: float, row: Row
) -> None:
    case = CallCase(row["call"], tuple(row["args"]), row["expected"], row["kwargs"])
    submission = Submission(Program("python", row["source"]), (case,))
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict == row["verdict"], (row["why"], judgement)
