"""Quick tests of a submission run one after the other in one jail, and none can tell."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox, Limits, PooledSandbox, Program, Submission, TestCase, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="session")

TESTS = 16

# Leaves what it can, and says what it finds of an earlier run.
PYTHON = """
import os, sys, time
me = os.getpid()
found = [path for path in ("/box/trace", "/tmp/trace") if os.path.exists(path)]
found += [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, me)]
found += [f"nice {n}" for n in [os.getpriority(os.PRIO_PROCESS, 0)] if n]
found += [name for name in os.listdir("/box") if name not in ("main.py", "beside.txt")]
found += [text for text in [open("beside.txt").read()] if text != "beside"]
for change in (
    lambda: os.setpriority(os.PRIO_PROCESS, 1, 9),
    lambda: os.setpriority(os.PRIO_USER, os.getuid(), 9),
    lambda: os.sched_setaffinity(1, {min(os.sched_getaffinity(0))}),
    lambda: os.kill(1, 9),
    lambda: os.kill(1, 19),
):
    try:
        change()
    except OSError:
        pass
for path in ("/box/trace", "/tmp/trace"):
    open(path, "w").write("x" * 100_000)
os.chmod("beside.txt", 0o600)
open("beside.txt", "w").write("changed")
print(input(), sorted(found), flush=True)
if os.fork() == 0:
    os.setsid()
    for fd in range(3):
        os.close(fd)
    time.sleep(60)
"""
CPP = """
#include <cstdio>
#include <iostream>
#include <unistd.h>
int main() {
    std::string word;
    std::cin >> word;
    bool found = access("/box/trace", F_OK) == 0 || access("/tmp/trace", F_OK) == 0;
    for (const char *path : {"/box/trace", "/tmp/trace"}) fputs("x", fopen(path, "w"));
    std::cout << word << (found ? " found" : " []") << std::endl;
    if (fork() == 0) { setsid(); sleep(60); }
}
"""
# Covers up what it did: files as before by name, size, mode and time, with another digit in one.
COVERT = """
import mmap, os
DIGIT = 0
def times(path):
    return os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns
before = {path: times(path) for path in ("/box/main.py", "/box", "/tmp")}
open("/tmp/trace", "w").write("x")
os.remove("/tmp/trace")
os.chmod("/box/main.py", 0o644)
with open("/box/main.py", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
    place = mapped.find(b"DIGIT = ") + len(b"DIGIT = ")
    mapped[place : place + 1] = b"1"
os.chmod("/box/main.py", 0o444)
print(input(), DIGIT, os.listxattr("/box/main.py"), os.listdir("/tmp"))
for path, (atime, mtime) in before.items():
    try:
        os.setxattr(path, "user.trace", b"x")
    except OSError:  # not on every kernel
        pass
    os.utime(path, ns=(atime, mtime))
"""
# Leaves its jail to the next run, in which it must not find anything either.
TIDY = """
import os, tempfile, threading
memory = dict(globals())
assert "trace" not in memory, memory
trace = True
with tempfile.TemporaryFile() as file:
    file.write(b"x" * 100_000)
threading.Thread(target=lambda: os.nice(3)).start()
os.umask(0o777)
os.chdir("/tmp")
print(input(), os.getppid(), os.listdir("/proc/self/fd")[:3], os.listdir("/tmp"))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def single(built: None) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize(("language", "source"), [("python", PYTHON), ("cpp", CPP)])
async def test_nothing_stays_behind_for_the_next_test(
    single: DockerSandbox, deadline: float, language: str, source: str
) -> None:
    program = Program(language, source, files={"beside.txt": b"beside"})
    tests = tuple(TestCase(b"%d" % n, b"%d []" % n) for n in range(TESTS))
    judgement = await single.judge(Submission(program, tests), deadline=deadline)
    assert judgement.score == 1.0, judgement


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(COVERT, "0 [] []", id="covert"),
        pytest.param(TIDY, "1 ['0', '1', '2'] []", id="tidy"),
    ],
)
async def test_the_next_test_finds_its_files_as_they_were_given(
    single: DockerSandbox, deadline: float, source: str, found: str
) -> None:
    tests = tuple(TestCase(b"%d" % n, f"{n} {found}".encode()) for n in range(TESTS))
    submission = Submission(Program("python", source), tests)
    judgement = await single.judge(submission, deadline=deadline)
    assert judgement.score == 1.0, judgement


async def test_tests_of_any_size_and_length_go_together(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = "import sys, time\nn, *words = sys.stdin.read().split()\ntime.sleep(float(n) / 100)\n"
    source += "print(n, len(words))"
    sizes = [n % 7 * n * 10_000 for n in range(3 * TESTS)]
    tests = tuple(
        TestCase(b"%d" % (n % 9) + b" x" * size, b"%d %d" % (n % 9, size))
        for n, size in enumerate(sizes)
    )
    judgement = await sandbox.judge(Submission(Program("python", source), tests), deadline=deadline)
    assert judgement.passed == len(tests), judgement


async def test_one_that_has_to_be_killed_costs_the_others_nothing(
    sandbox: PooledSandbox, deadline: float
) -> None:
    ends = {
        3: ("raise SystemExit(3)", Verdict.RUNTIME_ERROR),
        5: ("while True: pass", Verdict.TIME_LIMIT_EXCEEDED),
        6: ("import os; os.kill(os.getpid(), 11)", Verdict.RUNTIME_ERROR),
        8: ("b = bytearray(1 << 30)", Verdict.MEMORY_LIMIT_EXCEEDED),
        9: ("print('x' * 60_000)", Verdict.OUTPUT_LIMIT_EXCEEDED),
        11: ("import time; time.sleep(60)", Verdict.TIME_LIMIT_EXCEEDED),
        12: ("open('/tmp/x', 'w').write('x' * (2 << 20))", Verdict.RUNTIME_ERROR),
    }
    source = "n = int(input())\nprint(n, flush=True)\n"
    source += "".join(f"if n == {n}:\n    {line}\n" for n, (line, _) in ends.items())
    judgement = await sandbox.judge(
        Submission(
            Program("python", source),
            tuple(TestCase(b"%d" % n, b"%d" % n) for n in range(TESTS)),
            scoring="fraction",
            limits=Limits(cpu_s=0.5, wall_s=1.5, memory_mb=128, output_kb=32, disk_mb=1),
        ),
        deadline=deadline,
    )
    expected = [ends[n][1] if n in ends else Verdict.CORRECT for n in range(TESTS)]
    assert [test.verdict for test in judgement.tests] == expected, judgement


async def test_output_files_are_each_runs_own(single: DockerSandbox, deadline: float) -> None:
    program = Program(
        "python",
        "n = input()\nif n != '7': open('out.txt', 'w').write(n)\nprint(n)",
        outputs=("out.txt",),
    )
    tests = tuple(
        TestCase(b"%d" % n, b"%d" % n, output_files={"out.txt": b"%d" % n}) for n in range(TESTS)
    )
    judgement = await single.judge(
        Submission(program, tests, scoring="fraction"), deadline=deadline
    )
    assert [n for n, test in enumerate(judgement.tests) if test.verdict is not Verdict.CORRECT] == [
        7
    ], judgement
