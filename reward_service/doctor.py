"""
Says what this machine lacks for the service as configured, and the command that gets it.

Every check looks at the real thing: the engine is asked, a program is run in the sandbox, Redis is
read. A check that cannot look says so; it never guesses that all is well.
"""

import os
import platform
import socket
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import redis

from reward_service.checks import Check, numbers
from reward_service.checks_of_programs import check_programs
from reward_service.settings import BadSettings, Settings, check_binding

OLDEST_PYTHON = (3, 11)
OLDEST_REDIS = (7, 0)  # the oldest that the queue's commands were tried on
MEMORY_PER_PROCESS_MB = 384  # a slot or worker at its default limit, not at the largest allowed


def run_checks(settings: Settings) -> list[Check]:
    """Look at everything the service needs under `settings`. Takes a few seconds."""
    checks: list[Callable[[Settings], Iterator[Check]]] = [
        _python,
        _machine,
        _address,
        _keys,
        check_programs,
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
    if numbers(version) < OLDEST_REDIS:
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
