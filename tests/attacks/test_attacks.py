"""Hostile programs end in the verdict they deserve, and their neighbours lose nothing by them."""

import asyncio
from collections.abc import Collection

import pytest

from sandbox import PooledSandbox, Program, Submission, TestCase
from tests.sandbox.sandbox_cases import Row, need_language, read_attacks, submission_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACKS = read_attacks()
BOMBS = (
    "endless-loop",
    "fork-bomb",
    "memory-bomb",
    "output-of-200-mb",
    "disk-fill",
    "pipe-hoard",
)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row['category']}-{row['id']}") for row in ATTACKS]
)
async def test_an_attack_ends_in_its_verdict(
    sandbox: PooledSandbox, languages: Collection[str], deadline: float, row: Row
) -> None:
    need_language(row, languages)
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict in row["verdict"], (row["why"], judgement)


async def test_neighbours_of_bombs_keep_their_verdicts(
    sandbox: PooledSandbox, deadline: float
) -> None:
    honest = Submission(
        Program("python", "print(len(input()) + 1)"),
        tuple(TestCase(b"x" * n, str(n + 1).encode()) for n in (1, 1000, 9000, 65_000, 200_000)),
    )
    bombs = [submission_of(row) for row in ATTACKS if row["id"] in BOMBS]
    mixed = [submission for bomb in bombs for submission in (honest, bomb, honest, honest)]
    judgements = await asyncio.gather(*(sandbox.judge(s, deadline=deadline) for s in mixed))
    assert all(
        judgement.score == 1.0
        for submission, judgement in zip(mixed, judgements, strict=True)
        if submission is honest
    )


async def test_nothing_stays_behind_for_the_next_program(
    sandbox: PooledSandbox, deadline: float
) -> None:
    places = ("/tmp/trace", "/box/trace", "/dev/shm/trace")  # noqa: S108
    leave = f"for p in {places}: open(p, 'w').write('x')\nprint('left')"
    look = f"import os\nprint([p for p in {places} if os.path.exists(p)])"
    for _ in range(4):  # so that both meet in every slot
        assert (await sandbox.run(Program("python", leave), deadline=deadline)).stdout == b"left\n"
        assert (await sandbox.run(Program("python", look), deadline=deadline)).stdout == b"[]\n"
