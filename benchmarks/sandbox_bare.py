"""
What programs cost without a sandbox, measured inside a plain container of the sandbox's image.

Runs there, as source text: `sandbox_costs` sends it. Takes the number of repetitions, prints one
JSON object: CPU milliseconds of the container for each way to run something.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox.agent import zygote
from sandbox.agent.cgroup import Meter

ADD = "print(int(input()) + 1)"
NUMPY = "import numpy\nprint(int(numpy.arange(9).sum()))"
SUM = "#include <bits/stdc++.h>\nint main() { long long n; std::cin >> n; std::cout << n + 1; }\n"


def fork() -> None:
    """The floor: a process that does nothing, of this interpreter with all it has imported."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def fork_and_run() -> None:
    """The same process runs the program, on an input from a pipe, without any jail."""
    read, write = os.pipe()
    os.write(write, b"41")
    os.close(write)
    pid = os.fork()
    if pid == 0:
        os.dup2(read, 0)
        exec(compile(ADD, "main.py", "exec"), {"__name__": "__main__"})  # noqa: S102
        sys.stdout.flush()
        os._exit(0)
    os.close(read)
    os.waitpid(pid, 0)


def python(*arguments: str) -> None:
    """An interpreter of its own."""
    subprocess.run(["/usr/bin/python3", *arguments], input=b"41", check=True, capture_output=True)


def compile_plainly() -> None:
    """What somebody without our precompiled header waits for: the flags do not fit it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "main.cpp")
        source.write_text(SUM)
        subprocess.run(["g++", "-O2", "-o", source.with_suffix(""), source], check=True)


def main() -> None:
    """Measure, with standard output kept for the answer."""
    times, answer = int(sys.argv[1]), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    meter = Meter()

    def cost(action: Callable[[], None], times: int) -> float:
        action()
        before = meter.cpu_ms()
        for _ in range(times):
            action()
        return (meter.cpu_ms() - before) / times

    zygote.warm_up(zygote.USUAL.split())
    costs = {
        "fork": cost(fork, 4 * times),
        "fork and run": cost(fork_and_run, 4 * times),
        "exec": cost(lambda: python("-I", "-S", "-c", ADD), times),
    }
    zygote.warm_up(["numpy"])
    costs |= {
        "fork with numpy": cost(fork, 4 * times),
        "numpy": cost(lambda: python("-c", NUMPY), max(1, times // 4)),
        "g++": cost(compile_plainly, max(1, times // 25)),
    }
    os.write(answer, json.dumps(costs).encode() + b"\n")


if __name__ == "__main__":
    main()
