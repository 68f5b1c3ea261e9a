"""
The sandbox beside running the same without one, and under load: what is promised, and what holds.

    python3 dev.py bench sandbox [--rounds 5]

`sandbox_costs` says how the costs are taken, `sandbox_load` what is sent. Exits with 1 if a bound
or a verdict does not hold.
"""

import argparse
import asyncio
import sys

from benchmarks import sandbox_load
from benchmarks.sandbox_costs import TESTS, Cost, measure

NAMES = {
    "bare fork": "`os.fork` of the plain warm interpreter, no jail",
    "bare fork and run": "the same fork, which runs the program, no jail",
    "bare fork with numpy": "`os.fork` of the one with numpy, no jail",
    "python": "Python run",
    "light": "Python run that imports little",
    "bare exec": "exec of `python3 -I -S`, no jail",
    "exec": "exec of `python3 -I -S` in a jail, from a C program",
    "numpy": "numpy run",
    "bare numpy": "exec of `python3` that imports numpy, no jail",
    "bare g++": "plain `g++ -O2` with `bits/stdc++.h`",
    "compile": "the same compiled and run in jails",
    "1 tests": "Python submission, 1 test, one slot",
    f"{TESTS} tests": f"Python submission, {TESTS} tests, one slot",
    "1 tests in C++": "C++ submission, 1 test, one slot",
    f"{TESTS} tests in C++": f"C++ submission, {TESTS} tests, one slot",
    "1 tests, idle slots": "Python submission, 1 test, a slot for each core",
    f"{TESTS} tests, idle slots": f"Python submission, {TESTS} tests, a slot for each core",
    "1 tests over HTTP": "Python submission, 1 test, request to answer",
    f"{TESTS} tests over HTTP": f"Python submission, {TESTS} tests, request to answer",
    "container": "a container for one Python run (Docker SDK)",
}


def ratios(costs: dict[str, Cost], rate: float) -> list[tuple[str, float, float]]:
    """What is promised, the figure, and the most that it may be."""

    def cpu(name: str, other: str) -> float:
        return costs[name].cpu_ms / costs[other].cpu_ms

    def wall(suffix: str) -> float:
        return costs[f"{TESTS} tests{suffix}"].wall_ms / costs[f"1 tests{suffix}"].wall_ms

    return [
        ("Python run / bare fork, CPU", cpu("python", "bare fork"), 2.0),
        ("Python run / bare fork that runs it, CPU", cpu("python", "bare fork and run"), 2.0),
        ("Python run that imports little / bare fork, CPU", cpu("light", "bare fork"), 2.0),
        ("numpy run / bare fork with numpy, CPU", cpu("numpy", "bare fork with numpy"), 2.0),
        ("Python run / exec of an interpreter, CPU", cpu("python", "bare exec"), 0.5),
        ("numpy run / exec that imports numpy, CPU", cpu("numpy", "bare numpy"), 0.1),
        ("C++ compiled and run / plain g++, CPU", cpu("compile", "bare g++"), 0.4),
        (f"{TESTS} tests / 1 test over HTTP, wall", wall(" over HTTP"), 4.0),
        (f"{TESTS} tests / 1 test, wall, a slot for each core", wall(", idle slots"), 4.0),
        (f"{TESTS} tests / 1 test, wall, one slot", wall(""), 4.0),
        (f"{TESTS} tests / 1 test in C++, wall, one slot", wall(" in C++"), 4.0),
        (
            "a container for each run / all slots, throughput",
            1e3 / costs["container"].wall_ms / rate,
            0.05,
        ),
    ]


async def main(url: str, rounds: int) -> int:
    """Measure and print; 0 if everything promised holds."""
    costs, rate = await measure(rounds)
    sizes = (1, TESTS)
    for tests, wall_ms in zip(sizes, sandbox_load.walls(url, sizes, 120), strict=True):
        costs[f"{tests} tests over HTTP"] = Cost(0.0, wall_ms)
    print("| what | CPU ms | wall ms |\n|---|---|---|")
    for name, text in NAMES.items():
        cost = costs[name]
        print(f"| {text} | {_shown(cost.cpu_ms)} | {_shown(cost.wall_ms)} |")
    print(f"\n{rate:.0f} Python runs a second on all slots\n")
    print("| ratio | measured | at most | holds |\n|---|---|---|---|")
    does_hold = True
    for text, ratio, most in ratios(costs, rate):
        does_hold &= ratio <= most
        print(f"| {text} | {ratio:.2f} | {most} | {'yes' if ratio <= most else 'no'} |")
    does_hold &= await sandbox_load.measure(url)
    return int(not does_hold)


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds else "–"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the sandbox, and a service's.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.url, options.rounds)))
