"""What the host does to a program is not the program's doing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox import Limits, PooledSandbox, Program, Submission, TestCase, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def _neighbours(count: int) -> Iterator[None]:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


async def test_a_program_near_its_cpu_limit_is_right_beside_busy_neighbours(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = "import time\nwhile time.process_time() < 0.8: pass\nprint(42)"
    limits = Limits(cpu_s=1, wall_s=1.5)
    submission = Submission(Program("python", source), (TestCase(b"", b"42"),) * 2, limits=limits)
    with _neighbours(4 * (os.cpu_count() or 1)):
        judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is Verdict.CORRECT, judgement


async def test_a_program_that_sleeps_is_stopped_beside_busy_neighbours(
    sandbox: PooledSandbox, deadline: float
) -> None:
    program = Program("python", "import time\ntime.sleep(100)")
    submission = Submission(program, (TestCase(b"", b""),), limits=Limits(wall_s=1))
    with _neighbours(4 * (os.cpu_count() or 1)):
        judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is Verdict.TIME_LIMIT_EXCEEDED, judgement
