"""Real slots for the tests of this folder: containers, and boxes on this host."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox, LocalSandbox, PooledSandbox, SandboxUnavailable
from sandbox.images.build import build_image
from tests.conftest import missing


@pytest.fixture(scope="session")
def built(docker_engine: None) -> None:
    build_image()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def docker_sandbox(built: None) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=2) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_sandbox() -> AsyncIterator[LocalSandbox]:
    sandbox = LocalSandbox(slots=2)
    try:
        await sandbox.start()
    except SandboxUnavailable as error:
        missing("local", str(error))
    yield sandbox
    await sandbox.close()


@pytest.fixture(scope="session", params=["docker", "local"])
def sandbox(request: pytest.FixtureRequest) -> PooledSandbox:
    """Each kind of sandbox, so that what a test says holds for both."""
    found: PooledSandbox = request.getfixturevalue(f"{request.param}_sandbox")
    return found


@pytest.fixture
def deadline() -> float:
    """Far enough for anything these tests run."""
    return time.time() + 120
