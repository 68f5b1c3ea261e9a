"""
Attacks among honest programs at full rate: no wrong verdict, and nothing grows.

Eight seconds by default; `RULEGRADE_SOAK_S=60 pytest tests/sandbox/test_soak.py` for a real one.
"""

import asyncio
import gc
import os
import random
import secrets
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import docker
import pytest

from sandbox import DockerSandbox
from sandbox.docker import LABEL
from tests.sandbox.sandbox_cases import Row, read, read_attacks, submission_of

SECONDS = float(os.environ.get("RULEGRADE_SOAK_S", "8"))
SLOTS = 2
CALLERS = 4 * SLOTS
ATTACK_SHARE = 0.2
SLACK_MB = 24
"""What a heap may differ by between two moments of idleness."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process and the containers hold while nothing runs."""

    containers: int
    processes: int
    descriptors: int
    agents_descriptors: int
    memory_mb: float
    agents_memory_mb: float


async def test_nothing_goes_wrong_and_nothing_grows(built: None) -> None:
    owner = secrets.token_hex(8)
    honest, attacks = read("honest.jsonl"), read_attacks()
    async with DockerSandbox(slots=SLOTS, owner=owner) as sandbox:
        await _fire(sandbox, honest, attacks, seconds=SECONDS / 4)
        before = await asyncio.to_thread(_usage, owner)
        wrong, count = await _fire(sandbox, honest, attacks, seconds=SECONDS)
        after = await asyncio.to_thread(_usage, owner)
    print(f"{count} programs, {before} -> {after}")
    assert not wrong
    assert _growth(before, after) == {}


async def _fire(
    sandbox: DockerSandbox, honest: list[Row], attacks: list[Row], *, seconds: float
) -> tuple[Counter[str], int]:
    """Judge without a pause; what was judged wrongly, with the verdict, and how many in all."""
    end = time.monotonic() + seconds
    wrong: Counter[str] = Counter()
    count = 0
    choice = random.Random(1)

    async def call() -> None:
        nonlocal count
        while time.monotonic() < end:
            row = choice.choice(attacks if choice.random() < ATTACK_SHARE else honest)
            judgement = await sandbox.judge(submission_of(row), deadline=time.time() + 300)
            count += 1
            if judgement.verdict not in row.get("verdict", ["correct"]):
                wrong[f"{row['id']}: {judgement}"] += 1

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return wrong, count


def _growth(before: Usage, after: Usage) -> dict[str, tuple[float, float]]:
    """What there is more of, with both figures."""
    then, now = asdict(before), asdict(after)
    slack = {name: SLACK_MB if name.endswith("_mb") else 0 for name in then}
    return {name: (then[name], now[name]) for name in then if now[name] > then[name] + slack[name]}


def _usage(owner: str) -> Usage:
    engine = docker.from_env()
    try:
        found = engine.api.containers(filters={"label": f"{LABEL}={owner}"})
        stats = [engine.api.stats(c["Id"], stream=False, one_shot=True) for c in found]
        titles = [engine.api.top(c["Id"]) for c in found]
    finally:
        engine.close()
    gc.collect()
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        containers=len(found),
        processes=sum(s["pids_stats"]["current"] for s in stats),
        descriptors=len(os.listdir("/proc/self/fd")),
        agents_descriptors=sum(_descriptors(int(row[1])) for t in titles for row in t["Processes"]),
        memory_mb=resident_pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        agents_memory_mb=sum(_memory_mb(s["memory_stats"]) for s in stats),
    )


def _descriptors(pid: int) -> int:
    """0 where we may not look: an engine on another host, or a user other than root."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _memory_mb(stats: dict[str, dict[str, int]]) -> float:
    """Without the page cache; the names differ between cgroup versions."""
    details = stats["stats"]
    return (details.get("rss", 0) + details.get("anon", 0) + details.get("shmem", 0)) / 2**20
