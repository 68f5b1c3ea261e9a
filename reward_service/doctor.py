"""
Says what this machine lacks for the service as configured, and the command that gets it.

Every check looks at the real thing: the engine is asked, a program is run in the sandbox, Redis is
read. A check that cannot look says so; it never guesses that all is well.
"""

import asyncio
import os
import platform
import shutil
import socket
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.request import ProxyHandler, build_opener

import docker
import redis
from docker.errors import DockerException

from reward_service.settings import BadSettings, Settings, check_binding
from sandbox import DockerSandbox, Limits, Program, SandboxError, Status
from sandbox.images.build import image_tag

Level = Literal["ok", "warning", "missing"]

OLDEST_PYTHON = (3, 11)
OLDEST_ENGINE = (20, 10)  # the oldest that the sandbox's flags and seccomp profile were tried on
OLDEST_REDIS = (7, 0)  # the oldest that the queue's commands were tried on
IMAGE_GB = 3  # the sandbox image with what building it needs on the side
MEMORY_PER_PROCESS_MB = 384  # a slot or worker at its default limit, not at the largest allowed
SANDBOX_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and how to mend it."""

    name: str
    level: Level
    finding: str
    remedy: str = ""


def run_checks(settings: Settings) -> list[Check]:
    """Look at everything the service needs under `settings`. Takes a few seconds."""
    checks: list[Callable[[Settings], Iterator[Check]]] = [
        _python,
        _machine,
        _address,
        _keys,
        _programs,
        _redis,
    ]
    return [check for look in checks for check in look(settings)]


def print_checks(checks: list[Check]) -> int:
    """Print `checks` with their remedies; 1 when something required is missing, else 0."""
    for check in checks:
        head, *more = textwrap.wrap(check.finding, 95, break_long_words=False) or [""]
        print(f"{check.level:8} {check.name:10} {head}")
        for line in (*more, *check.remedy.splitlines()):  # a remedy is a command: never wrapped
            print(f"{'':19} {line}")
    missing = sum(check.level == "missing" for check in checks)
    print(f"\n{missing} missing." if missing else "\nNothing required is missing.")
    return 1 if missing else 0


def _python(_: Settings) -> Iterator[Check]:
    found = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        yield Check("python", "ok", found)
    else:
        yield Check("python", "missing", found, "Install Python 3.11 or later.")


def _machine(settings: Settings) -> Iterator[Check]:
    processes = settings.sandbox_slots + settings.pool_workers
    wanted = MEMORY_PER_PROCESS_MB * processes
    available = _available_mb()
    found = f"{os.cpu_count()} cores, {available} MiB of memory free"
    if available >= wanted:
        yield Check("machine", "ok", found)
    else:
        yield Check(
            "machine",
            "warning",
            f"{found}; {processes} slots and workers want about {wanted} MiB",
            "Lower RULEGRADE_SANDBOX_SLOTS and RULEGRADE_POOL_WORKERS.",
        )


def _available_mb() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) // 1024


def _address(settings: Settings) -> Iterator[Check]:
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield _why_not_free(where, error)
        else:
            yield Check("address", "ok", f"{where} is free")


def _why_not_free(where: str, error: OSError) -> Check:
    try:
        with build_opener(ProxyHandler({})).open(f"http://{where}/livez", timeout=2):
            return Check("address", "ok", f"a service answers at {where}")
    except OSError:
        remedy = "Choose another: RULEGRADE_PORT=8001 rulegrade serve"
        return Check("address", "missing", f"{where} cannot be used: {error.strerror}", remedy)


def _keys(settings: Settings) -> Iterator[Check]:
    try:
        check_binding(settings)
    except BadSettings as error:
        yield Check("keys", "missing", str(error), "rulegrade keys new")
    else:
        guarded = bool(settings.api_keys or settings.api_keys_file)
        found = "API keys are set" if guarded else "no API key, and only this machine can connect"
        yield Check("keys", "ok", found)


def _programs(settings: Settings) -> Iterator[Check]:
    if settings.sandbox_backend == "off":
        remedy = "Code items are answered with an error. unset RULEGRADE_SANDBOX_BACKEND"
        yield Check("sandbox", "warning", "switched off", remedy)
        return
    try:
        with closing(docker.from_env(timeout=10, use_context=False)) as client:
            info: dict[str, Any] = client.info()
    except DockerException as error:
        yield Check("engine", "missing", f"no Docker engine answers: {error}", _how_to_get_engine())
    else:
        yield from _engine_facts(info)
        yield from _disk(Path(info["DockerRootDir"]))
        yield from _sandbox(settings)


def _how_to_get_engine() -> str:
    if os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST is set: start that engine, or `unset DOCKER_HOST`."
    listening = Path("/var/run/docker.sock")
    if listening.exists() and not os.access(listening, os.W_OK):
        return 'sudo usermod -aG docker "$USER"   # then log in again'
    return (
        "Debian or Ubuntu: sudo apt-get install -y docker.io && sudo systemctl start docker\n"
        "No systemd (a container, WSL): sudo sh -c 'dockerd > /var/log/dockerd.log 2>&1 &'\n"
        "Elsewhere: https://docs.docker.com/engine/install/\n"
        "Docker Desktop or rootless: export DOCKER_HOST="
        "$(docker context inspect --format '{{.Endpoints.docker.Host}}')\n"
        "No programs to judge: RULEGRADE_SANDBOX_BACKEND=off"
    )


def _engine_facts(info: dict[str, Any]) -> Iterator[Check]:
    version = str(info["ServerVersion"])
    found = (
        f"Docker {version}, cgroup v{info.get('CgroupVersion', '1')}, "
        f"runtimes {', '.join(sorted(info['Runtimes']))}"
    )
    if _numbers(version) < OLDEST_ENGINE:
        remedy = "Install Docker 20.10 or later."
        yield Check("engine", "warning", f"{found}: older than any we tried", remedy)
    else:
        yield Check("engine", "ok", found)
    lacking = [name for name in ("MemoryLimit", "PidsLimit", "CpuCfsQuota") if not info.get(name)]
    if lacking:
        remedy = "Use an engine with these cgroup controllers; rootless engines need cgroup v2."
        yield Check("limits", "missing", f"the engine cannot set {', '.join(lacking)}", remedy)
    if not any("name=seccomp" in option for option in info["SecurityOptions"]):
        remedy = "Use an engine and kernel built with seccomp."
        yield Check("seccomp", "missing", "the engine cannot filter system calls", remedy)


def _disk(directory: Path) -> Iterator[Check]:
    if not directory.is_dir():
        yield Check("disk", "warning", f"{directory} of the engine is not on this machine")
        return
    free_gb = shutil.disk_usage(directory).free / 1e9
    found = f"{free_gb:.0f} GB free at {directory}"
    if free_gb >= IMAGE_GB:
        yield Check("disk", "ok", found)
    else:
        remedy = "docker system df   # shows what takes the space"
        yield Check("disk", "warning", f"{found}; building the image takes {IMAGE_GB}", remedy)


def _sandbox(settings: Settings) -> Iterator[Check]:
    try:
        yield Check("sandbox", "ok", asyncio.run(_run_a_program(settings)))
    except (SandboxError, TimeoutError) as error:
        found = str(error) or f"no slot came up within {SANDBOX_TIMEOUT_S:.0f} s"
        yield Check(
            "sandbox", "missing", f"no program can be run: {found}", "rulegrade sandbox build"
        )


async def _run_a_program(settings: Settings) -> str:
    deadline = time.time() + SANDBOX_TIMEOUT_S
    async with asyncio.timeout(SANDBOX_TIMEOUT_S):
        image = settings.sandbox_image or image_tag(settings.sandbox_flavour)
        async with DockerSandbox(image, slots=1) as sandbox:
            program = Program("python", "print(6 * 7)")
            run = await sandbox.run(program, limits=Limits(), deadline=deadline)
    if run.status is not Status.OK or run.stdout != b"42\n":
        raise SandboxError(f"a test program ended as {run.status}: {run.stderr[-500:]!r}")
    return f"a program ran in {run.wall_ms:.0f} ms"


def _redis(settings: Settings) -> Iterator[Check]:
    if settings.redis_url is None:
        return
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_timeout=5, socket_connect_timeout=5
        ) as client:
            info: dict[str, Any] = client.info("everything")
    except (redis.RedisError, ValueError) as error:
        remedy = "Start it, or correct RULEGRADE_REDIS_URL (redis://host:6379/0)."
        yield Check("redis", "missing", f"cannot be read: {error}", remedy)
        return
    yield from _redis_facts(info)


def _redis_facts(info: dict[str, Any]) -> Iterator[Check]:
    version = str(info["redis_version"])
    if _numbers(version) < OLDEST_REDIS:
        yield Check("redis", "missing", f"Redis {version} is too old", "Install Redis 7 or later.")
    else:
        yield Check("redis", "ok", f"Redis {version}")
    policy = info["maxmemory_policy"]
    if policy != "noeviction":
        remedy = "redis-cli CONFIG SET maxmemory-policy noeviction   # and in redis.conf"
        yield Check("redis", "missing", f"{policy} may drop queued jobs when full", remedy)
    if not info["aof_enabled"]:
        remedy = "redis-cli CONFIG SET appendonly yes   # and in redis.conf"
        yield Check("redis", "missing", "no append-only file: a restart loses the queue", remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
