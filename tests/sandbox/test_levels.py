"""Weaker hosts: what is in force is said, verdicts stay right, and a minimum is kept to."""

import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import docker
import pytest

from sandbox import DockerSandbox, LocalSandbox, PooledSandbox, Program, SandboxUnavailable
from sandbox.docker import Engine
from sandbox.images.build import image_tag
from sandbox.levels import require
from tests.conftest import missing
from tests.sandbox.judge_rows import CATEGORY
from tests.sandbox.sandbox_cases import Row, need_language, read_attacks

ROOT = Path(__file__).parents[2]
ROWS = [row for row in read_attacks() if row["category"] == CATEGORY]

WITHOUT_CGROUPS = ("unshare", "--mount", "sh", "-c", 'umount -R -l /sys/fs/cgroup; exec "$@"', "sh")
"""Begins a command that sees no cgroup: a chroot, many containers, a plain user's login."""


@functools.cache
def judged_without_cgroups() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The isolation in force, and the verdict on every row by its id."""
    command = [*WITHOUT_CGROUPS, sys.executable, "-m", "tests.sandbox.judge_rows"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    isolation, *found = map(json.loads, done.stdout.splitlines())
    return isolation, {row["id"]: row["verdict"] for row in found}


@pytest.fixture
def root() -> None:
    """Ask for root, which can take the cgroups away from a test."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("takes cgroups away, which needs root and the program unshare")


def test_a_sandbox_says_what_isolates_its_programs(sandbox: PooledSandbox) -> None:
    found = sandbox.isolation()
    assert found["backend"] == ("local" if isinstance(sandbox, LocalSandbox) else "docker")
    assert found["level"] == ("full" if found["limits"].startswith("cgroup v") else "rlimits")
    assert re.match(r"/usr/bin/python3 3[.]\d+", found["python"])


def test_a_host_without_cgroups_is_said_to_be_weaker(root: None) -> None:
    isolation, _ = judged_without_cgroups()
    assert (isolation["level"], isolation["limits"]) == ("rlimits", "no cgroup")


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_verdicts_are_the_same_without_cgroups(root: None, row: Row) -> None:
    _, verdicts = judged_without_cgroups()
    need_language(row, {row["language"]} if row["id"] in verdicts else ())
    assert verdicts[row["id"]] in row.get("verdict", ["correct"]), row["why"]


def test_a_host_below_the_minimum_is_refused_with_the_remedy(root: None) -> None:
    code = 'import asyncio, sandbox; asyncio.run(sandbox.LocalSandbox(minimum="full").start())'
    command = [*WITHOUT_CGROUPS, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "SandboxUnavailable: isolation is rlimits here, and full is required" in done.stderr
    assert "run as root" in done.stderr


@pytest.fixture
def image_without_cgroup(built: None) -> Iterator[str]:
    """Our image, with an agent that finds an empty folder in the place of its cgroup."""
    tag = f"rulegrade/test-without-cgroup:{secrets.token_hex(4)}"
    hide = (
        "mount -t tmpfs none /sys/fs/cgroup && exec unshare --user --map-user=10000 "
        "--map-group=10000 python3 -s -P -m sandbox.agent.front"
    )
    entry = json.dumps(["unshare", "--map-root-user", "--mount", "sh", "-c", hide])
    engine = Engine()
    dockerfile = f"FROM {image_tag()}\nENTRYPOINT {entry}\n".encode()
    for _ in engine.build({"Dockerfile": dockerfile}, tag, args={}):
        pass
    yield tag
    engine.remove_image(tag)
    engine.close()


async def test_containers_that_see_no_cgroup_are_said_to_be_weaker(
    image_without_cgroup: str,
) -> None:
    async with DockerSandbox(image_without_cgroup, slots=1) as sandbox:
        isolation = sandbox.isolation()
        assert (isolation["level"], isolation["limits"]) == ("rlimits", "no cgroup")
    with pytest.raises(SandboxUnavailable, match="isolation is rlimits here, and full is required"):
        await DockerSandbox(image_without_cgroup, slots=1, minimum="full").start()


@pytest.fixture
def gvisor(built: None) -> None:
    """Ask for an engine that has gVisor."""
    with closing(docker.from_env()) as client:
        if "runsc" not in client.info()["Runtimes"]:
            missing("runsc", "register it with the engine that DOCKER_HOST points to")


async def test_gvisor_runs_programs_or_it_is_said_which_step_of_a_jail_it_lacks(
    gvisor: None,
) -> None:
    found = ""
    try:
        async with DockerSandbox(slots=1, runtime="runsc") as sandbox:
            run = await sandbox.run(Program("python", "print(42)"), deadline=time.time() + 60)
            found = run.stdout.decode()
    except SandboxUnavailable as error:
        found = str(error)
    assert re.search(r"^42\n$|under the runtime runsc gives no slot: .*: setup \S+ \d+", found)


def test_a_minimum_that_is_met_refuses_nothing() -> None:
    require("full", "full", "")
    require("full", "rlimits", "")
    with pytest.raises(SandboxUnavailable, match="why not"):
        require("rlimits", "full", "why not")
