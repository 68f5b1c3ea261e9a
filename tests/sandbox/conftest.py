"""Real containers for the tests of this folder."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox
from sandbox.images.build import build_image


@pytest.fixture(scope="session")
def built(docker_engine: None) -> None:
    build_image()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(built: None) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=2) as sandbox:
        yield sandbox


@pytest.fixture
def deadline() -> float:
    """Far enough for anything these tests run."""
    return time.time() + 120
