"""When we fail, nothing turns into a verdict, and the pool comes back."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox import (
    DeadlineExceeded,
    DockerSandbox,
    Limits,
    PooledSandbox,
    Program,
    SandboxError,
    SandboxUnavailable,
    Status,
    Submission,
    TestCase,
    Verdict,
)
from sandbox.docker import LABEL
from sandbox.images.build import image_tag

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]

SLEEP = Program("python", "import time; time.sleep(3); print(1)")
LONG = Program("python", "import time; time.sleep(30); print(1)")
QUICK = Program("python", "print(1)")


@pytest.fixture
def client(docker_engine: None) -> Iterator[docker.APIClient]:
    client = docker.APIClient(version="auto")
    client.headers["Connection"] = "close"  # or it has descriptors of its own for each container
    yield client
    client.close()


def containers_of(client: docker.APIClient, owner: str) -> list[str]:
    found = client.containers(all=True, filters={"label": f"{LABEL}={owner}"})
    return [container["Id"] for container in found]


async def until_gone(client: docker.APIClient, owner: str) -> bool:
    for _ in range(200):
        if not containers_of(client, owner):
            return True
        await asyncio.sleep(0.1)
    return False


async def test_a_container_killed_under_a_test_costs_a_retry_only(
    client: docker.APIClient, deadline: float, built: None
) -> None:
    owner = f"test-retry-{secrets.token_hex(4)}"
    async with DockerSandbox(slots=1, owner=owner) as sandbox:
        submission = Submission(SLEEP, (TestCase(b"", b"1"),))
        judging = asyncio.create_task(sandbox.judge(submission, deadline=deadline))
        await asyncio.sleep(1)
        client.kill(containers_of(client, owner)[0])
        judgement = await judging
    assert judgement.verdict is Verdict.CORRECT


async def test_a_container_killed_twice_is_an_error_and_no_verdict(
    client: docker.APIClient, deadline: float, built: None
) -> None:
    owner = f"test-twice-{secrets.token_hex(4)}"
    async with DockerSandbox(slots=1, owner=owner) as sandbox:
        submission = Submission(LONG, (TestCase(b"", b"1"),), limits=Limits(wall_s=60))
        judging = asyncio.create_task(sandbox.judge(submission, deadline=deadline))
        while not judging.done():
            await asyncio.sleep(4)  # a container is up by then, on a busy machine too
            for container in containers_of(client, owner):
                with contextlib.suppress(docker.errors.APIError):  # it may be on its way out
                    client.kill(container)
            await asyncio.wait([judging], timeout=1)
        with pytest.raises(SandboxError):
            await judging
        run = await sandbox.run(QUICK, deadline=deadline)
    assert (run.status, run.stdout) == (Status.OK, b"1\n")


async def test_slots_that_are_replaced_leave_no_descriptor(
    client: docker.APIClient, deadline: float, built: None
) -> None:
    owner = f"test-replaced-{secrets.token_hex(4)}"
    seen = []
    async with DockerSandbox(slots=1, owner=owner) as sandbox:
        for _ in range(5):
            judging = sandbox.judge(Submission(QUICK, (TestCase(b"", b"1"),)), deadline=deadline)
            assert (await judging).verdict is Verdict.CORRECT
            seen.append(len(os.listdir("/proc/self/fd")))
            client.kill(containers_of(client, owner)[0])
    assert seen[-1] <= seen[1]


async def test_a_run_past_the_deadline_is_an_error_and_no_verdict(sandbox: PooledSandbox) -> None:
    with pytest.raises(DeadlineExceeded):
        await sandbox.run(SLEEP, deadline=time.time() + 1)


async def test_waiting_for_a_slot_past_the_deadline_is_an_error(
    deadline: float, built: None
) -> None:
    async with DockerSandbox(slots=1) as sandbox:
        first = asyncio.create_task(sandbox.run(SLEEP, deadline=deadline))
        await asyncio.sleep(0.2)
        with pytest.raises(DeadlineExceeded):
            await sandbox.run(QUICK, deadline=time.time() + 1)
        assert (await first).stdout == b"1\n"


async def test_a_cancelled_run_ends_and_its_slot_comes_back(deadline: float, built: None) -> None:
    async with DockerSandbox(slots=1) as sandbox:
        limits = Limits(cpu_s=60, wall_s=180)
        endless = Program("python", "while True: pass")
        running = asyncio.create_task(sandbox.run(endless, limits=limits, deadline=deadline))
        await asyncio.sleep(0.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await sandbox.run(QUICK, deadline=deadline)).stdout == b"1\n"


async def test_a_missing_image_is_named_with_the_remedy(docker_engine: None) -> None:
    with pytest.raises(SandboxUnavailable, match="sandbox build"):
        await DockerSandbox("rulegrade/no-such-image:1").start()


async def test_no_engine_is_named_with_the_remedy() -> None:
    # In a process of its own: the SDK leaves a socket open when nobody answers.
    code = "import asyncio, sandbox; asyncio.run(sandbox.DockerSandbox().start())"
    env = os.environ | {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    found = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env, check=False
    )
    assert "SandboxUnavailable" in found.stderr
    assert "point DOCKER_HOST at one" in found.stderr


async def test_closing_leaves_no_container(
    client: docker.APIClient, deadline: float, built: None
) -> None:
    async with DockerSandbox(slots=2, owner="test-close") as sandbox:
        await sandbox.run(QUICK, deadline=deadline)
    assert await until_gone(client, "test-close")


async def test_a_service_killed_with_9_leaves_no_container(
    client: docker.APIClient, built: None
) -> None:
    code = """
import asyncio, time
from sandbox import DockerSandbox, Limits, Program
async def main():
    async with DockerSandbox(slots=2, owner="test-killed") as sandbox:
        print("up", flush=True)
        endless = Program("python", "while True: pass")
        await sandbox.run(endless, limits=Limits(cpu_s=60, wall_s=180), deadline=time.time() + 60)
asyncio.run(main())
"""
    service = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, env=os.environ
    )
    with service:
        assert service.stdout is not None
        assert service.stdout.readline() == b"up\n"
        await asyncio.sleep(0.5)
        assert len(containers_of(client, "test-killed")) == 2
        service.send_signal(signal.SIGKILL)
    assert await until_gone(client, "test-killed")


async def test_leftovers_of_the_same_owner_are_removed_at_the_start(
    client: docker.APIClient, built: None
) -> None:
    left = client.create_container(image_tag(), labels={LABEL: "test-leftovers"})
    async with DockerSandbox(slots=1, owner="test-leftovers"):
        assert left["Id"] not in containers_of(client, "test-leftovers")
