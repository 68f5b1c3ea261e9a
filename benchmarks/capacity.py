"""
What a burst needs: cores, time, bytes through Redis and in it. A simulation; it starts nothing.

Items come all at once, as a rollout's do. Every free core takes the next one and is busy for as
long as its runs take, drawn from a log-normal distribution with the given mean: programs differ,
and the last ones decide when the burst is over. What an item costs was measured by `bench items`,
see docs/scaling.md; give your own figures with the flags.
"""

import argparse
import heapq
import math
import random
from dataclasses import dataclass

SIGMA = 0.8  # of the logarithm: the slowest 1 % take some 5 times the mean
SEED = 1
RUN_MS = 3.2
"""CPU of the sandbox for a test of a Python program that reads 2,000 numbers."""
PROGRAM_MS = 6.9
"""CPU of API, worker and Redis for an item of 20 such tests."""
MATH_MS = 0.8
"""CPU of API, worker and Redis for an answer."""
MATH_BYTES = 17_000, 340
"""Through Redis and kept in it for an answer of 8 KB."""
PROGRAM_BYTES = 28_600, 3_700
"""The same for a completion of 8 KB and 20 tests, without these."""
TASK_BYTES = 216_000
"""20 tests of 11 KB each."""


@dataclass(frozen=True, slots=True)
class Load:
    """A burst of `items`, each of `runs` that cost `run_ms` of a core on average."""

    name: str
    items: int
    runs: int
    run_ms: float
    item_ms: float
    """What an item costs beside its runs: API, worker and Redis, and compiling."""
    job_bytes: int
    """Into Redis and out of it for an item, tests apart: completion, result and their framing."""
    kept_bytes: int
    """In Redis for an hour after it: its outcome."""
    shared_bytes: int
    """Tests that the items of a task share."""
    group: int = 16


def busy_s(load: Load, random_: random.Random) -> float:
    """Seconds of a core for one item."""
    mean_s = (load.item_ms + load.runs * load.run_ms) / 1000
    return random_.lognormvariate(math.log(mean_s) - SIGMA**2 / 2, SIGMA)


def makespan_s(load: Load, cores: int) -> float:
    """Seconds until the last item of the burst is done."""
    random_ = random.Random(SEED)  # noqa: S311 - the same table every time
    free = [0.0] * cores
    for _ in range(load.items):
        heapq.heappush(free, heapq.heappop(free) + busy_s(load, random_))
    return max(free)


def cores_for(load: Load, within_s: float) -> int:
    """The fewest cores with which the burst is over in time."""
    low, high = 1, load.items
    while low < high:
        middle = (low + high) // 2
        if makespan_s(load, middle) <= within_s:
            high = middle
        else:
            low = middle + 1
    return low


def passing_mb(load: Load) -> float:
    """MB into Redis and out of it again for a burst; a worker fetches what is shared once."""
    return (load.items * load.job_bytes + 2 * load.items / load.group * load.shared_bytes) / 1e6


def resting_mb(load: Load) -> float:
    """MB in Redis when the burst is over; hardly more before, for what waits waits elsewhere."""
    return (load.items * load.kept_bytes + load.items / load.group * load.shared_bytes) / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What a burst needs.")
    parser.add_argument("--run-ms", type=float, default=RUN_MS, help="a core's time for one test")
    parser.add_argument("--compile-ms", type=float, default=0.0, help="for one program")
    parser.add_argument("--math-ms", type=float, default=MATH_MS, help="for one answer")
    given = parser.parse_args()
    answers = given.math_ms, 0.0, *MATH_BYTES, 0
    item_ms = PROGRAM_MS + given.compile_ms
    programs = given.run_ms, item_ms, *PROGRAM_BYTES, TASK_BYTES
    loads = [
        Load("mathematics, a burst", 8_192, 1, *answers),
        Load("mathematics, a step", 512, 1, *answers),
        Load("20 tests each, a burst", 8_192, 20, *programs),
        Load("20 tests each, a step", 512, 20, *programs),
    ]
    print(
        f"{'load':24}{'items':>7}{'runs':>9}{'core-s':>8}  cores for {'60 s':>6}{'5 min':>7}"
        f"{'18 min':>8}  MB through Redis{'in it':>7}"
    )
    for load in loads:
        core_s = load.items * (load.item_ms + load.runs * load.run_ms) / 1000
        needed = [cores_for(load, seconds) for seconds in (60, 300, 1080)]
        print(
            f"{load.name:24}{load.items:7}{load.items * load.runs:9}{core_s:8.0f}"
            f"{needed[0]:18}{needed[1]:7}{needed[2]:8}{passing_mb(load):18.0f}{resting_mb(load):7.0f}"
        )


if __name__ == "__main__":
    main()
