"""
What the queue costs: a request of one completion against an item of a batch, Redis against bare
commands, two workers against one; and how long a completion waits, with Redis and without.

`singles` are as many requests of one completion each as the batch has items, 256 under way at a
time, over HTTP. Each row is two rounds of batch and singles in turns, of which the sums count. CPU
time is that of the API process alone, and of all processes of the service together. `floor` is the
HTTP server around an application that only answers: what a request costs at the least.
"""

import argparse
import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from benchmarks.queue_load import (
    CLIENTS,
    closed_loop,
    items_of,
    many_singles,
    one_batch,
    open_loop,
    spelt,
)
from benchmarks.queue_no_op import by_bare_commands, through_the_broker
from benchmarks.queue_services import Service, bare_server, private_redis, service
from benchmarks.service import percentiles

ROUNDS = 2
LATENCY_S = 6.0
WAITING = 32
"""Clients of the closed loop whose latencies are taken."""
SHARE_OF_MAXIMUM = 0.5
Work = Callable[[int, str, int], Coroutine[Any, Any, float]]
Figures = tuple[float, float, float]
"""Items per second; milliseconds of CPU time an item, of the API process and of all processes."""


def measure(running: Service, work: Work, kind: str, count: int) -> Figures:
    """Do the work once."""
    before = running.cpu_s()
    rate = asyncio.run(work(running.port, kind, count))
    api, every = (b - a for a, b in zip(before, running.cpu_s(), strict=True))
    return rate, api / count * 1000, every / count * 1000


def compare(running: Service, name: str, kind: str, count: int) -> tuple[Figures, float]:
    """Batch and singles in turns; print the row; the batch's figures, and the rate of singles."""
    measure(running, many_singles, kind, 2 * CLIENTS)
    batches, singles = [], []
    for _ in range(ROUNDS):
        batches.append(measure(running, one_batch, kind, count))
        singles.append(measure(running, many_singles, kind, count))
    batch, single = mean(batches), mean(singles)
    show(f"{name}, {kind}", single, batch)
    return batch, single[0]


def mean(rounds: list[Figures]) -> Figures:
    """Of each figure."""
    first, second, third = (sum(column) / len(rounds) for column in zip(*rounds, strict=True))
    return first, second, third


def show(name: str, first: Figures, second: Figures) -> None:
    """A row: both, and the ratio, of each figure that was taken."""
    cells = "".join(
        f"{a:9.{digits}f}{b:9.{digits}f}{a / b:7.2f}"
        for a, b, digits in zip(first, second, (0, 3, 3), strict=True)
        if b
    )
    print(f"{name:38}{cells}", flush=True)


def latency(name: str, running: Service, rate: float) -> list[str]:
    """Rows of percentiles of single requests: a closed loop, and an open one at half of `rate`."""
    per_s = rate * SHARE_OF_MAXIMUM
    loops = {
        f"closed, {WAITING} clients": (rate, partial(closed_loop, clients=WAITING)),
        f"open, {per_s:.0f}/s": (per_s, partial(open_loop, per_s=per_s)),
    }
    rows = []
    for loop, (expected, run) in loops.items():
        requests = [spelt([item]) for item in items_of("math", int(expected * LATENCY_S) + 1)]
        cuts = percentiles(asyncio.run(run(running.port, requests)))
        cells = "".join(f"{cut * 1000:9.1f}" for cut in cuts)
        rows.append(f"{f'{name}: {loop}':48}{len(requests):9}{cells}")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the queue.")
    parser.add_argument("--items", type=int, default=8_192)
    count = parser.parse_args().items
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, {count} items\n")
    heads = "".join(
        f"{head:>9}{'against':>9}{'ratio':>7}" for head in ("items/s", "API ms", "all ms")
    )
    print(f"{'':38}{heads}", flush=True)
    with bare_server() as bare:
        measure(bare, many_singles, "format", 2 * CLIENTS)
        rate, floor, _ = measure(bare, many_singles, "format", count)
        print(f"{'floor: singles, bare uvicorn':38}{rate:9.0f}{'':16}{floor:9.3f}", flush=True)
    with service() as alone:
        compare(alone, "one process: singles, batch", "format", count)
        _, rate = compare(alone, "one process: singles, batch", "math", count)
        rows = latency("one process", alone, rate)
    with private_redis() as redis, service(redis, 1) as shared:
        one, rate = compare(shared, "Redis, 1 worker: singles, batch", "math", count)
        rows += latency("Redis, 1 worker", shared, rate)
    with private_redis() as redis, service(redis, 2) as shared:
        measure(shared, one_batch, "math", 2 * CLIENTS)
        two = mean([measure(shared, one_batch, "math", count) for _ in range(ROUNDS)])
        show("Redis, batches: 2 workers, 1", two, one)
    with private_redis() as url:
        bare_rate = asyncio.run(by_bare_commands(url, count))
        show("no-op: broker, bare commands", through(url, count), (bare_rate, 0.0, 0.0))
    print(f"\n{'milliseconds of a request':48}{'requests':>9}{'p50':>9}{'p95':>9}{'p99':>9}")
    print("\n".join(rows))


def through(url: str, count: int) -> Figures:
    """The no-op through the broker."""
    return asyncio.run(through_the_broker(url, count)), 0.0, 0.0


if __name__ == "__main__":
    main()
