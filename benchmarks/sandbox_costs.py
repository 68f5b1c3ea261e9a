"""
What a run in the sandbox costs beside the same run without one, in CPU time of its container.

Each round measures everything once, so that a busy minute of the machine falls on all of it; the
figures are medians of the rounds. A container's CPU time is what its cgroup says it used, agent
and jails included, so nothing of a run can hide from it. The engine, which must be of this very
Linux, would say the same a second later, when all caches are cold.
"""

import asyncio
import itertools
import json
import os
import secrets
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker

from sandbox import DockerSandbox, Limits, Program, Run, Status, Submission, TestCase
from sandbox.docker import LABEL
from sandbox.host.cgroups import paths_of
from sandbox.images.build import build_image

BARE = Path(__file__).with_name("sandbox_bare.py")
PATIENT = Limits(cpu_s=20.0, wall_s=60.0, memory_mb=512)
TIMES = 20
TESTS = 20
WARM_S = 0.1

LIGHT = Program("python", "print(int(input()) + 1)")
# The same on the interpreter of programs that import more, which is what is forked bare, too.
PLAIN = Program("python", f"# import json\n{LIGHT.source}")
NUMPY = Program("python", "import numpy\nprint(int(numpy.arange(9).sum()) + 6)")
# An exec of the same interpreter as the bare one, in a jail.
EXEC = Program(
    "c",
    "#include <unistd.h>\nint main() { return execl("
    '"/usr/bin/python3", "python3", "-I", "-S", "-c", "print(int(input()) + 1)", (char *)0); }',
)
SUM = "#include <bits/stdc++.h>\nint main() { long long n; std::cin >> n; std::cout << n + 1; }\n"
_PROGRAMS = {"light": LIGHT, "python": PLAIN, "exec": EXEC, "numpy": NUMPY}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one operation, in milliseconds."""

    cpu_ms: float
    wall_ms: float


class Bench:
    """Two sandboxes, one of a single slot to count CPU time in and one as the service has it."""

    def __init__(self, image: str) -> None:
        self._engine = docker.from_env()
        self._image = image
        self._owner = secrets.token_hex(8)
        self._serial = itertools.count()
        self.one = DockerSandbox(image, slots=1, owner=self._owner)
        self.all = DockerSandbox(image, slots=os.cpu_count() or 1)

    def bare(self) -> dict[str, float]:
        """CPU milliseconds of everything in `sandbox_bare`."""
        answer = self._engine.containers.run(
            self._image,
            ["-c", BARE.read_text(), str(TIMES)],
            entrypoint=["/usr/bin/python3"],
            environment={"OPENBLAS_NUM_THREADS": "1"},
            network_mode="none",
            remove=True,
        )
        costs: dict[str, float] = json.loads(answer)
        return costs

    def container(self) -> Cost:
        """A container for one run, wall time only."""
        began = time.perf_counter()
        self._engine.containers.run(
            self._image,
            ["-I", "-S", "-c", "print(41 + 1)"],
            entrypoint=["/usr/bin/python3"],
            network_mode="none",
            remove=True,
        )
        return Cost(0.0, (time.perf_counter() - began) * 1e3)

    async def cost(self, action: Callable[[], Awaitable[None]], times: int) -> Cost:
        """Of one of `times` actions, one after the other, in the sandbox of one slot.

        After WARM_S of them: what stood idle while others were measured has lost its caches.
        """
        end = time.perf_counter() + WARM_S
        while time.perf_counter() < end:
            await action()
        cpu_ms, began = self._cpu_ms(), time.perf_counter()
        for _ in range(times):
            await action()
        wall_ms = (time.perf_counter() - began) * 1e3
        return Cost((self._cpu_ms() - cpu_ms) / times, wall_ms / times)

    def _cpu_ms(self) -> float:
        found = self._engine.containers.list(filters={"label": f"{LABEL}={self._owner}"})
        return sum(_used_ms(container.attrs["State"]["Pid"]) for container in found)

    async def run(self, program: Program) -> None:
        """One run, which must give the right answer."""
        _check(await self.one.run(program, b"41", PATIENT, deadline=time.time() + 120))

    async def compile(self) -> None:
        """Compile a program that was never seen before, and run it."""
        await self.run(Program("cpp", f"// {next(self._serial)}\n{SUM}"))

    async def judge(self, sandbox: DockerSandbox, language: str, tests: int) -> None:
        """Judge a submission of `tests` tests that was never seen before."""
        cases = tuple(TestCase(str(n).encode(), str(n + 1).encode()) for n in range(tests))
        mark, source = ("//", SUM) if language == "cpp" else ("#", LIGHT.source)
        program = Program(language, f"{mark} {next(self._serial)}\n{source}")
        judgement = await sandbox.judge(Submission(program, cases), deadline=time.time() + 120)
        if judgement.passed != tests:
            raise SystemExit(f"a right program was refused: {judgement}")

    async def rate(self, seconds: float) -> float:
        """Python runs a second with twice as many callers as slots."""
        end = time.perf_counter() + seconds
        done = 0

        async def call() -> None:
            nonlocal done
            while time.perf_counter() < end:
                _check(await self.all.run(LIGHT, b"41", PATIENT, deadline=time.time() + 120))
                done += 1

        await asyncio.gather(*(call() for _ in range(2 * (os.cpu_count() or 1))))
        return done / seconds


def _used_ms(pid: int) -> float:
    """CPU time of all that ever lived in the cgroup of this process."""
    paths = paths_of(pid)
    if "cpuacct" in paths:
        usage = Path(f"/sys/fs/cgroup/cpuacct{paths['cpuacct']}/cpuacct.usage")
        return int(usage.read_text(encoding="ascii")) / 1e6
    usage = Path(f"/sys/fs/cgroup{paths['']}/cpu.stat")
    return int(usage.read_text(encoding="ascii").split()[1]) / 1e3


def _check(run: Run) -> None:
    if run.status is not Status.OK or run.stdout.strip() != b"42":
        raise SystemExit(f"a right program was refused: {run}")


async def measure(rounds: int) -> tuple[dict[str, Cost], float]:
    """Median costs by name, and Python runs a second."""
    bench = Bench(await asyncio.to_thread(build_image))
    seen: dict[str, list[Cost]] = defaultdict(list)
    rates = []
    async with bench.one, bench.all:
        for _ in range(rounds):
            for name, cpu_ms in (await asyncio.to_thread(bench.bare)).items():
                seen[f"bare {name}"].append(Cost(cpu_ms, 0.0))
            seen["container"].append(await asyncio.to_thread(bench.container))
            for name, program in _PROGRAMS.items():
                seen[name].append(await bench.cost(partial(bench.run, program), TIMES))
            seen["compile"].append(await bench.cost(bench.compile, 4))
            for tests in (1, TESTS):
                for suffix, place, language in (
                    ("", bench.one, "python"),
                    (", idle slots", bench.all, "python"),
                    (" in C++", bench.one, "cpp"),
                ):
                    judge = partial(bench.judge, place, language, tests)
                    times = 4 if language == "cpp" else TIMES
                    seen[f"{tests} tests{suffix}"].append(await bench.cost(judge, times))
            rates.append(await bench.rate(2.0))
    medians = {name: _median(costs) for name, costs in seen.items()}
    return medians, statistics.median(rates)


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_ms for cost in costs),
        statistics.median(cost.wall_ms for cost in costs),
    )
