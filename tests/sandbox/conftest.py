"""Real containers for the tests of this folder."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox
from sandbox.docker import Engine
from sandbox.images.build import build_image, image_tag
from tests.conftest import missing


@pytest.fixture(scope="session")
def built(docker_engine: None) -> None:
    build_image()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(built: None) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=2) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def full_sandbox(docker_engine: None) -> AsyncIterator[DockerSandbox]:
    engine = Engine()
    is_there = engine.has_image(image_tag("full"))
    engine.close()
    if not is_there:
        missing("full-image", "run `rulegrade sandbox build --flavour full` (2.8 GB)")
    async with DockerSandbox(image_tag("full"), slots=2) as sandbox:
        yield sandbox


@pytest.fixture
def deadline() -> float:
    """Far enough for anything these tests run."""
    return time.time() + 120
