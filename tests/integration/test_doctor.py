"""`rulegrade doctor` on real parts: it must see what is wrong and give a command, not a guess."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from reward_service.checks import Check, Level
from reward_service.doctor import print_checks, run_checks
from reward_service.settings import Settings


def look(name: str, **settings: Any) -> list[Check]:
    """Return the checks called `name` under `settings`, with programs switched off."""
    settings = {"sandbox_backend": "off", "port": 0, **settings}
    return [check for check in run_checks(Settings(**settings)) if check.name == name]


@pytest.fixture
def redis_admin(redis_url: str) -> Iterator["redis.Redis"]:
    """A client that may reconfigure the test's own server, which is put right afterwards."""
    with redis.Redis.from_url(redis_url) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")


def test_a_redis_fit_for_a_queue_is_ok(redis_url: str) -> None:
    (check,) = look("redis", redis_url=redis_url)
    assert check.level == "ok"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("maxmemory-policy", "allkeys-lru", id="evicts-jobs"),
        pytest.param("appendonly", "no", id="forgets-on-restart"),
    ],
)
def test_a_redis_that_can_lose_jobs_is_named_with_the_command_that_mends_it(
    redis_admin: "redis.Redis", redis_url: str, setting: str, value: str
) -> None:
    redis_admin.config_set(setting, value)
    bad = [check for check in look("redis", redis_url=redis_url) if check.level == "missing"]
    assert [f"CONFIG SET {setting}" in check.remedy for check in bad] == [True]


def test_a_redis_that_is_not_there_is_missing() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        (check,) = look("redis", redis_url=f"redis://127.0.0.1:{held.getsockname()[1]}/0")
    assert check.level == "missing"


def test_the_password_of_redis_is_not_printed() -> None:
    checks = look("redis", redis_url="redis://user:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in str(checks)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (check,) = look("address", port=port)
    assert (check.level, str(port) in check.finding) == ("missing", True)


def test_other_machines_without_a_key_is_missing() -> None:
    (check,) = look("keys", host="0.0.0.0")  # noqa: S104 - the case itself
    assert check.level == "missing"


def test_an_engine_that_does_not_answer_fails_the_command_and_is_told_apart() -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "reward_service",
            "doctor",
            "--port",
            "0",
            "--sandbox-backend",
            "docker",
        ],
        env={
            **os.environ,
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "RULEGRADE_SANDBOX_BACKEND": "docker",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1, ended.stderr
    assert "missing  engine" in ended.stdout
    assert "unset DOCKER_HOST" in ended.stdout


@pytest.mark.parametrize(
    ("level", "status"),
    [
        pytest.param("ok", 0, id="ok"),
        pytest.param("warning", 0, id="warning"),
        pytest.param("missing", 1, id="missing"),
    ],
)
def test_only_what_is_required_and_missing_fails(level: Level, status: int) -> None:
    assert print_checks([Check("part", level, "found", "remedy")]) == status
