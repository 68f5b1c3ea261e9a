"""One program, run once: arguments, environment, files, and what no process can be given."""

from typing import Any

import pytest

from sandbox import Limits, PooledSandbox, Program, Status

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_arguments_environment_and_files_reach_the_program(
    sandbox: PooledSandbox, deadline: float
) -> None:
    program = Program(
        "python",
        "import os, sys, helper\nprint(sys.argv[1:], os.environ['WORD'], helper.read())",
        files={"helper.py": b"def read(): return open('data/x.txt').read()", "data/x.txt": b"42"},
        args=("a b", "ž"),
        env={"WORD": "x=y"},
    )
    run = await sandbox.run(program, deadline=deadline)
    assert run.stdout.decode() == "['a b', 'ž'] x=y 42\n", run


LOOK_FOR_SECRETS = """
data = b""
for line in open("/proc/self/maps"):
    if "rw-p" in line and "[v" not in line:
        low, high = (int(x, 16) for x in line.split()[0].split("-"))
        with open("/proc/self/mem", "rb") as memory:
            memory.seek(low)
            data += memory.read(high - low)
print(data.count(bytes(reversed(b"eniregnateniregnat"))))
"""


# What a program imports decides which interpreter it is a fork of.
@pytest.mark.parametrize("first", ["", "import random", "import numpy"])
async def test_no_memory_holds_what_an_earlier_program_was_given(
    sandbox: PooledSandbox, deadline: float, first: str
) -> None:
    secret = "tangerine" * 3
    source = f"{first}\nx = {secret!r}\nprint(1)"
    for words in ((), (secret,)):
        for _ in range(2):  # so that both meet in every slot
            given = Program("python", source, args=words)
            await sandbox.run(given, stdin=secret.encode(), deadline=deadline)
    look = f"{first}\n{LOOK_FOR_SECRETS}"
    control = f"x = {secret!r}\n{look}"
    found = await sandbox.run(Program("python", control), deadline=deadline)
    assert int(found.stdout) > 0
    for _ in range(2):
        found = await sandbox.run(Program("python", look), deadline=deadline)
        assert found.stdout == b"0\n", found


@pytest.mark.parametrize(
    "imports",
    [
        "import random",
        "from random import random as any_number\nrandom = any_number.__self__",
        "import math as m, random",
        "import sys, os; import random",
        "import math\nrandom = __import__('random')",
        "import os, importlib\nrandom = importlib.import_module('random')",
        "import random, threading, json, re, decimal, typing, dataclasses, statistics",
        "if True:\n    from numpy import random",
    ],
)
async def test_however_it_is_imported_a_module_is_there_and_random(
    sandbox: PooledSandbox, deadline: float, imports: str
) -> None:
    program = Program("python", f"{imports}\nprint(random.random())")
    runs = [await sandbox.run(program, deadline=deadline) for _ in range(4)]
    numbers = {float(run.stdout) for run in runs}
    assert len(numbers) == len(runs), runs


async def test_a_compiled_program_keeps_the_files_beside_it(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = """#include "twice.h"
#include <fstream>
#include <iostream>
int main() { int n; std::ifstream("n.txt") >> n; std::cout << twice(n); }
"""
    files = {"twice.h": b"int twice(int n) { return 2 * n; }", "n.txt": b"21"}
    run = await sandbox.run(Program("cpp", source, files), deadline=deadline)
    assert run.stdout == b"42", run


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(Program("python", "print(1)", {"main.py": b""}), id="source"),
        pytest.param(Program("cpp", "int main() {}", {"main": b""}), id="artifact"),
        pytest.param(Program("cobol", ""), id="language"),
    ],
)
async def test_what_no_slot_can_run_is_refused_and_harms_no_slot(
    sandbox: PooledSandbox, deadline: float, program: Program
) -> None:
    with pytest.raises(ValueError, match=r"files|language"):
        await sandbox.run(program, deadline=deadline)
    assert (await sandbox.run(Program("python", "print(1)"), deadline=deadline)).stdout == b"1\n"


async def test_limits_count_and_are_reported(sandbox: PooledSandbox, deadline: float) -> None:
    program = Program("python", "x = bytearray(b'x') * (50 << 20)\nwhile len(x): pass")
    run = await sandbox.run(program, limits=Limits(cpu_s=0.5), deadline=deadline)
    assert run.status is Status.TIME_LIMIT_EXCEEDED
    assert run.cpu_ms > 400
    assert run.memory_kb > 50 << 10


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"args": ("a\0b",)}, "args", id="nul-in-argument"),
        pytest.param({"args": ("\ud800",)}, "args", id="surrogate-in-argument"),
        pytest.param({"args": ("x" * 10_000,)}, "args", id="long-arguments"),
        pytest.param({"env": {"A=B": "c"}}, "env", id="equals-sign-in-name"),
        pytest.param({"env": {"": "c"}}, "env", id="empty-name"),
        pytest.param({"files": {"../x": b""}}, "files", id="parent-directory"),
        pytest.param({"files": {"/etc/x": b""}}, "files", id="absolute"),
        pytest.param({"files": {"a//x": b""}}, "files", id="empty-part"),
        pytest.param({"files": {"a/x": b"", "a": b""}}, "files", id="file-and-folder"),
        pytest.param({"files": {"x" * 300: b""}}, "files", id="long-name"),
        pytest.param({"files": {str(i): b"" for i in range(60)}}, "files", id="many-files"),
        pytest.param({"files": {"x": bytes(65 << 20)}}, "files", id="large-files"),
        pytest.param({"outputs": ("/etc/passwd",)}, "outputs", id="absolute-output"),
        pytest.param({"outputs": ("../x",)}, "outputs", id="output-of-a-parent"),
        pytest.param({"outputs": tuple(map(str, range(20)))}, "outputs", id="many-outputs"),
    ],
)
async def test_what_no_process_can_be_given_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Program("python", "print(1)", **fields)


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"cpu_s": 0}, id="nothing"),
        pytest.param({"wall_s": float("nan")}, id="nan"),
        pytest.param({"memory_mb": 10**6}, id="more-than-a-slot-has"),
        pytest.param({"processes": -1}, id="negative"),
    ],
)
async def test_limits_no_slot_can_honour_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        Limits(**limits)
