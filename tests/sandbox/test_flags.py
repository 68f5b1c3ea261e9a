"""Flags name what a program hints at, and leave the score alone."""

import pytest

from sandbox import CallCase, Limits, PooledSandbox, Program, Submission, TestCase
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = [pytest.param(row, id=row["id"]) for row in read("code_flags.jsonl")]


@pytest.mark.parametrize("row", CASES)
async def test_flags_never_touch_the_score(
    sandbox: PooledSandbox, deadline: float, row: Row
) -> None:
    test = CallCase(row["call"], (), 1) if row["call"] else TestCase(b"", b"1")
    program = Program(row.get("language", "python"), row["source"])
    submission = Submission(program, (test,), limits=Limits(processes=16))
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert (list(judgement.flags), judgement.score) == (row["flags"], row["score"]), row["why"]
