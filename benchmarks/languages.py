"""
What a program costs in each language: compiling it, and each run of it, in the full image.

    python -m benchmarks.languages [ROUNDS]

The program reads two numbers and prints their sum (tests/data/languages.jsonl). Languages take
turns, so that a busy minute of the machine falls on all of them; the table has medians. A compile
time is that of the whole call less the run within it, so it holds some 2 ms of transport; it is
wall time, while runs have their CPU time, too.
"""

import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

from sandbox import LANGUAGES, DockerSandbox, Limits, Program, Run, Status, installed_languages
from sandbox.images.build import build_image

ROWS = Path(__file__).parents[1] / "tests/data/languages.jsonl"
PATIENT = Limits(cpu_s=20.0, wall_s=60.0)
HEADING = (
    "| language | version | compile ms | run ms | run CPU ms | memory MB |\n" + "|---" * 6 + "|"
)


async def measure(rounds: int) -> None:
    """Print the table."""
    programs = {
        row["language"]: row
        for row in map(json.loads, ROWS.read_text().splitlines()[::-1])
        if row["id"] == f"{row['language']}-answers"
    }
    compiles: dict[str, list[float]] = defaultdict(list)
    runs: dict[str, list[Run]] = defaultdict(list)
    async with DockerSandbox(build_image(flavour="full"), slots=1) as sandbox:
        versions = await installed_languages(sandbox)
        for _ in range(rounds + 1):
            for name, row in programs.items():
                began = time.monotonic()
                run = await sandbox.run(
                    Program(name, row["source"]),
                    row.get("stdin", "40 2\n").encode(),
                    PATIENT,
                    deadline=time.time() + 120,
                )
                if run.status is not Status.OK:
                    raise SystemExit(f"{name}: {run}")
                runs[name].append(run)
                compiles[name].append((time.monotonic() - began) * 1e3 - run.wall_ms)
    print(HEADING)
    for name, language in LANGUAGES.items():
        build = f"{statistics.median(compiles[name][1:]):.0f}" if language.compile else "–"
        print(f"| {name} | {versions[name]} | {build} | {_run_cells(runs[name][1:])} |")


def _run_cells(runs: list[Run]) -> str:
    wall = statistics.median(run.wall_ms for run in runs)
    cpu = statistics.median(run.cpu_ms for run in runs)
    memory = statistics.median(run.memory_kb for run in runs) / 1024
    return f"{wall:.1f} | {cpu:.1f} | {memory:.0f}"


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 9))
