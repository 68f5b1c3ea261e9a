"""The sandbox without an engine: what only it can do wrong, and what it must not leave behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import Limits, LocalSandbox, Program, SandboxUnavailable, Submission, TestCase, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
NOBODY = 65534

SERVE = """
import asyncio, time
from sandbox import Limits, LocalSandbox, Program
async def main():
    async with LocalSandbox(slots=2) as sandbox:
        print("up", flush=True)
        busy = Program("python", "import os\\nos.fork()\\nwhile True: pass")
        await sandbox.run(busy, limits=Limits(cpu_s=60, wall_s=180), deadline=time.time() + 60)
asyncio.run(main())
"""

SAY_ISOLATION = """
import asyncio
from sandbox import LocalSandbox
async def main():
    async with LocalSandbox(slots=1) as sandbox:
        print(sandbox.isolation()["level"])
asyncio.run(main())
"""


def children_of(parent: int) -> set[int]:
    """All processes below `parent`, at any depth."""
    parents = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended since
            continue
        parents[int(name)] = int(fields[1])
    found = {parent}
    while more := {child for child, of in parents.items() if of in found} - found:
        found |= more
    return found - {parent}


def cgroups_of(service: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"rulegrade-{service}-*"))


def is_gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


async def wait_until_gone(processes: set[int]) -> set[int]:
    """Those that are still there after a while."""
    for _ in range(200):
        if all(map(is_gone, processes)):
            return set()
        await asyncio.sleep(0.1)
    return {pid for pid in processes if not is_gone(pid)}


@contextmanager
def service() -> Iterator["subprocess.Popen[bytes]"]:
    """A process with a sandbox in which a program is running."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(0.5)
        yield process
        process.kill()


async def test_a_service_killed_with_9_leaves_no_process_and_no_cgroup(
    local_sandbox: LocalSandbox,
) -> None:
    with service() as process:
        processes, cgroups = children_of(process.pid), cgroups_of(process.pid)
        assert len(processes) >= 2 * 4  # keeper, agent and two spawners each
        assert bool(cgroups) is (local_sandbox.isolation()["level"] == "full")
        process.send_signal(signal.SIGKILL)
        assert await wait_until_gone(processes) == set()
    for _ in range(50):
        if not cgroups_of(process.pid):
            return
        await asyncio.sleep(0.1)
    assert cgroups_of(process.pid) == []


async def test_keepers_killed_with_the_service_leave_what_the_next_start_removes(
    local_sandbox: LocalSandbox,
) -> None:
    with service() as process:
        processes = children_of(process.pid)
        keepers = [pid for pid in processes if "opt/rulegrade/box" in command_of(pid)]
        assert len(keepers) == 2
        for pid in (process.pid, *keepers):
            os.kill(pid, signal.SIGKILL)
        assert await wait_until_gone(processes) == set()
    async with LocalSandbox(slots=1):
        assert cgroups_of(process.pid) == []


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_a_box_killed_under_a_test_costs_a_retry_only(deadline: float) -> None:
    before, there = children_of(os.getpid()), set(cgroups_of(os.getpid()))
    async with LocalSandbox(slots=1) as sandbox:
        sleep = Program("python", "import time; time.sleep(2); print(1)")
        submission = Submission(sleep, (TestCase(b"", b"1"),))
        judging = asyncio.create_task(sandbox.judge(submission, deadline=deadline))
        await asyncio.sleep(0.5)
        keeper = min(children_of(os.getpid()) - before)
        os.kill(keeper, signal.SIGKILL)
        assert (await judging).verdict is Verdict.CORRECT
    assert await wait_until_gone(children_of(os.getpid()) - before) == set()
    assert set(cgroups_of(os.getpid())) <= there


async def test_closing_leaves_no_process_and_no_cgroup(deadline: float) -> None:
    before, there = children_of(os.getpid()), set(cgroups_of(os.getpid()))
    async with LocalSandbox(slots=2) as sandbox:
        await sandbox.run(Program("python", "print(1)"), deadline=deadline)
        assert children_of(os.getpid()) - before
    assert await wait_until_gone(children_of(os.getpid()) - before) == set()
    assert set(cgroups_of(os.getpid())) <= there


async def test_a_program_sees_nothing_of_the_service_and_its_files(
    local_sandbox: LocalSandbox, deadline: float
) -> None:
    source = """
import os
print(sorted(os.listdir('/')), os.listdir('/box'), sorted(os.environ))
print([open(f'/proc/{p}/environ').read().count('=') for p in os.listdir('/proc') if p == '2'])
print(os.getuid(), open('/etc/passwd').read().count(':'))
"""
    run = await local_sandbox.run(Program("python", source), limits=Limits(), deadline=deadline)
    assert b"home" not in run.stdout
    assert run.stdout.splitlines()[0].startswith(b"['bin', 'box', 'dev', 'etc', 'lib'")
    assert run.stdout.splitlines()[2] == b"10000 6", run


async def test_a_host_without_a_compiler_is_told_which_package_to_install(tmp_path: Path) -> None:
    code = "import asyncio, sandbox; asyncio.run(sandbox.LocalSandbox().start())"
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", code],
        env={"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SandboxUnavailable: no C compiler" in done.stderr
    assert "apt-get install gcc libc6-dev" in done.stderr


async def test_a_cache_that_cannot_be_written_is_our_failure_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    with pytest.raises(SandboxUnavailable, match="set XDG_CACHE_HOME"):
        await LocalSandbox().start()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root")
async def test_a_plain_user_without_a_delegated_cgroup_gets_the_weaker_level(
    tmp_path: Path, plain_user_command: list[str]
) -> None:
    done = subprocess.run(  # noqa: ASYNC221
        [*plain_user_command, SAY_ISOLATION], capture_output=True, text=True, check=False
    )
    assert done.stdout == "rlimits\n", done.stderr[-2000:]


@pytest.mark.skipif(os.geteuid() != 0, reason="delegates a cgroup, which needs root")
async def test_a_plain_user_with_a_delegated_cgroup_gets_all_limits(
    plain_user_command: list[str], delegated: str
) -> None:
    done = subprocess.run(  # noqa: ASYNC221
        ["sh", "-c", f'{delegated} exec "$@"', "sh", *plain_user_command, SAY_ISOLATION],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "full\n", done.stderr[-2000:]


@pytest.fixture
def plain_user_command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Runs Python source as a user who owns nothing but a cache directory."""
    import docker

    home = tmp_path_factory.mktemp("home")
    os.chown(home, NOBODY, NOBODY)
    for folder in (home, *home.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp"):  # noqa: S108
            folder.chmod(folder.stat().st_mode | 0o755)
    packages = Path(docker.__file__).parents[1]
    return [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env", "-i"),
        *(f"HOME={home}", f"PYTHONPATH={ROOT}:{packages}", "PATH=/usr/bin:/bin"),
        *("/usr/bin/python3", "-c"),
    ]


@pytest.fixture
def delegated() -> Iterator[str]:
    """Shell commands that enter cgroups which belong to the plain user."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [
        Path(mount[1], "rulegrade-test")
        for mount in mounts
        if mount[2] == "cgroup" and {"memory", "pids", "cpu", "cpuacct"} & set(mount[3].split(","))
    ]
    if not places:
        pytest.skip("tried with cgroup version 1 only")
    for place in places:
        place.mkdir(exist_ok=True)
        os.chown(place, NOBODY, NOBODY)
    yield " ".join(f"echo $$ > {place}/cgroup.procs;" for place in places)
    for place in places:
        for directory in (*place.glob("rulegrade-*"), place):
            directory.rmdir()


async def test_no_slot_is_made_after_closing(deadline: float) -> None:
    sandbox = LocalSandbox(slots=1)
    await sandbox.start()
    await sandbox.close()
    await sandbox.close()
    with pytest.raises(SandboxUnavailable):
        await sandbox.run(Program("python", "print(1)"), deadline=deadline)
