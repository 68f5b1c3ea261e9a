"""What `rulegrade doctor` says of the engine and of the place where programs run."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from reward_service.checks import Check, Level, numbers
from reward_service.sandboxes import chosen_image, make_sandbox
from reward_service.settings import Settings
from sandbox import PooledSandbox, SandboxError, installed_languages
from sandbox.canaries import Finding
from sandbox.docker import holds_image
from sandbox.images.build import image_tag

OLDEST_ENGINE = (20, 10)  # the oldest that the sandbox's flags and seccomp profile were tried on
IMAGE_GB = 3  # the sandbox image with what building it needs on the side
SANDBOX_TIMEOUT_S = 240.0


def check_programs(settings: Settings) -> Iterator[Check]:
    """Look at the engine if one is wanted, and try every canary where programs would run."""
    if settings.sandbox_backend == "off":
        remedy = "Code items are answered with an error. unset RULEGRADE_SANDBOX_BACKEND"
        yield Check("sandbox", "warning", "switched off", remedy)
        return
    if settings.sandbox_backend != "local":
        checks = list(_engine(settings))
        yield from checks
        if any(check.level == "missing" for check in checks):
            return
    yield from _sandbox(settings.model_copy(update={"sandbox_slots": 1}))


def _engine(settings: Settings) -> Iterator[Check]:
    is_needed = settings.sandbox_backend == "docker" or chosen_image(settings) is not None
    try:
        with closing(docker.from_env(timeout=10, use_context=False)) as client:
            info: dict[str, Any] = client.info()
    except DockerException as error:
        found = f"no Docker engine answers: {error}"
        if is_needed:
            yield Check("engine", "missing", found, _how_to_get_engine())
        else:
            remedy = "Not needed; to have one all the same:\n" + _how_to_get_engine()
            yield Check("engine", "warning", f"{found}; programs run on this host", remedy)
        return
    yield from _engine_facts(info)
    yield from _disk(Path(info["DockerRootDir"]))
    image = chosen_image(settings) or image_tag()
    if not holds_image(image):
        found = f"the engine has no image {image}"
        level: Level = "missing" if is_needed else "warning"
        yield Check("image", level, found, "rulegrade sandbox build")


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
    if numbers(version) < OLDEST_ENGINE:
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
        yield from asyncio.run(_try_programs(make_sandbox(settings)))
    except (SandboxError, TimeoutError) as error:
        found = str(error) or f"no program was over within {SANDBOX_TIMEOUT_S:.0f} s"
        yield Check("sandbox", "missing", f"no program can be run: {found}", "See docs/sandbox.md.")


async def _try_programs(sandbox: PooledSandbox) -> list[Check]:
    async with asyncio.timeout(SANDBOX_TIMEOUT_S):
        findings = await sandbox.examine()
        checks = list(map(_canary, findings))
        if not all(finding.held for finding in findings):
            remedy = "This host does not isolate programs as it must: see docs/sandbox.md."
            return [*checks, Check("sandbox", "missing", "no program is run here", remedy)]
        async with sandbox:
            isolation = ", ".join(f"{name} {word}" for name, word in sandbox.isolation().items())
            found = await installed_languages(sandbox)
        languages = ", ".join(f"{name} {version}" for name, version in found.items())
    return [*checks, Check("sandbox", "ok", isolation), Check("languages", "ok", languages)]


def _canary(finding: Finding) -> Check:
    if finding.held:
        return Check("canary", "ok", f"{finding.name}: held")
    return Check("canary", "missing", f"{finding.name}: failed ({finding.found})")
