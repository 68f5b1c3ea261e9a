"""Real parts for tests: containers, a private Redis server, or a skip that says why."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis

from sandbox import (
    LANGUAGES,
    DockerSandbox,
    LocalSandbox,
    PooledSandbox,
    SandboxUnavailable,
    installed_languages,
)
from sandbox.docker import Engine
from sandbox.images.build import build_image, image_tag

REDIS_DATABASES = 4_096


def missing(name: str, reason: str) -> None:
    """Skip for want of `name`, or fail where RULEGRADE_TEST_REQUIRE says that it must be there."""
    if name in os.environ.get("RULEGRADE_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required here: {reason}")
    pytest.skip(f"needs {name}: {reason}")


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """Ask for an engine that answers."""
    try:
        Engine().close()
    except SandboxUnavailable as error:
        missing("docker", str(error))


@pytest.fixture(scope="session")
def built(docker_engine: None) -> None:
    build_image()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def docker_sandbox(built: None) -> AsyncIterator[DockerSandbox]:
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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def languages(sandbox: PooledSandbox) -> Collection[str]:
    """What `sandbox` must be able to run: all languages of an image, those that a host has."""
    return await installed_languages(sandbox) if isinstance(sandbox, LocalSandbox) else LANGUAGES


@pytest.fixture
def deadline() -> float:
    """Far enough for anything these tests run."""
    return time.time() + 120


@pytest.fixture(scope="session")
def redis_urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[str]]:
    """Empty databases of a Redis server of this session alone, configured as production must be."""
    program = shutil.which("redis-server")
    if program is None:
        missing("redis", "no program redis-server on PATH (Debian: apt-get install redis-server)")
    port = _free_port()
    directory = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        [
            *(str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
            *("--logfile", str(directory / "redis.log"), "--databases", str(REDIS_DATABASES)),
        ]
    )
    try:
        url = f"redis://127.0.0.1:{port}"
        _wait_for_redis(url, server, directory / "redis.log")
        yield (f"{url}/{database}" for database in range(REDIS_DATABASES))
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def redis_url(redis_urls: Iterator[str]) -> str:
    """An empty database, so that no test finds what another left: jobs, batches, kept outcomes."""
    return next(redis_urls)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_redis(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.05)
            else:
                return
    raise RuntimeError(f"redis-server did not start:\n{log.read_text()}")
