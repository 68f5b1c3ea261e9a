"""Programs that other judges refuse wrongly are accepted here."""

from collections.abc import Collection

import pytest

from sandbox import Limits, PooledSandbox, Program, Submission, TestCase, Verdict
from tests.sandbox.sandbox_cases import Row, need_language, read, submission_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in read("honest.jsonl")])
async def test_an_honest_program_is_accepted(
    sandbox: PooledSandbox, languages: Collection[str], deadline: float, row: Row
) -> None:
    need_language(row, languages)
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict is Verdict.CORRECT, (row["why"], judgement)


async def test_fifty_megabytes_of_output_are_compared(
    sandbox: PooledSandbox, deadline: float
) -> None:
    line = b"x" * (1 << 20) + b"\n"
    source = "import sys\nfor _ in range(50): sys.stdout.write('x' * (1 << 20) + '\\n')\n"
    submission = Submission(
        Program("python", source),
        (TestCase(b"", line * 50),),
        limits=Limits(cpu_s=10, wall_s=60, output_kb=65_536, memory_mb=512),
    )
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is Verdict.CORRECT, judgement.tests
