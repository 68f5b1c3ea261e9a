"""Real containers for the tests of this folder."""

import os
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox, SandboxUnavailable
from sandbox.docker import Engine
from sandbox.images.build import build_image


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        engine = Engine()
        build_image()
    except SandboxUnavailable as error:
        if "docker" in os.environ.get("RULEGRADE_TEST_REQUIRE", ""):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return engine


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(engine: Engine) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=2) as sandbox:
        yield sandbox


@pytest.fixture
def deadline() -> float:
    """Far enough for anything these tests run."""
    return time.time() + 120
