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


MAIN = "import time\nwhile time.process_time() < 0.8: pass\nprint(42)"
# As programs do that need a large stack; the first thread only waits.
THREAD = """
import threading, time
def main():
    while time.process_time() < 0.8: pass
    print(42)
thread = threading.Thread(target=main)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("source", [MAIN, THREAD], ids=["main", "thread"])
async def test_a_program_near_its_cpu_limit_is_right_beside_busy_neighbours(
    sandbox: PooledSandbox, deadline: float, source: str
) -> None:
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


# Is ready to run for seconds, and kept from it by nobody but itself.
CROWD = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        while time.process_time() < 0.1: pass
        time.sleep(100)
time.sleep(100)
"""


async def test_a_program_that_is_in_its_own_way_is_not_taken_for_starved(
    sandbox: PooledSandbox, deadline: float
) -> None:
    limits = Limits(cpu_s=2, wall_s=1.5)
    submission = Submission(Program("python", CROWD), (TestCase(b"", b""),), limits=limits)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is Verdict.TIME_LIMIT_EXCEEDED, judgement
    assert judgement.tests[0].wall_ms < 3000, judgement
