"""
How fast a running service answers: the completions of the example batch, over HTTP.

Closed loop (a few clients, each waiting for its answer) gives the greatest throughput. Latency is
taken in an open loop: batches leave at fixed times whether or not earlier ones came back, and the
clock of each starts when it should have left. A closed loop would stop asking while the service
stalls and so leave the stall out of its percentiles.

Every completion is made different from all others, so that nothing is answered from a cache.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

FILE = Path(__file__).parents[1] / "examples/batch.jsonl"
SLOW = {"time_limit_exceeded", "memory_limit_exceeded", "output_limit_exceeded"}
WORKLOADS = {
    "format+language": {"format", "language"},
    "math": {"math"},
    "code": {"code"},
    "all": {"format", "language", "math", "code"},
}
HEADINGS = ("items/s", "at", "batches", "p50 ms", "p95 ms", "p99 ms", "null")
CLIENTS = 4
BATCH = 16
WARM_UP_S = 3.0
SHARE_OF_MAXIMUM = 0.5

Json = dict[str, Any]


class Load:
    """Batches of one workload for one service."""

    def __init__(self, client: httpx.AsyncClient, rows: list[Json], tasks: Json) -> None:
        self._client = client
        self._tasks = tasks
        self._rows = itertools.cycle(rows)
        self._serial = itertools.count()
        self.unscored = 0

    async def send(self) -> None:
        """Send one batch and wait for its rewards."""
        items = [self._different(next(self._rows)["item"]) for _ in range(BATCH)]
        request = {"deadline_ms": 120_000, "tasks": self._tasks, "items": items}
        response = await self._client.post("/v1/rewards", json=request)
        if response.is_error:
            raise SystemExit(f"{response.status_code} {response.text[:500]}")
        self.unscored += sum(reward is None for reward in response.json()["rewards"])

    def _different(self, item: Json) -> Json:
        """A serial number at the front of the thought, or of the text where there is none."""
        number = next(self._serial)
        head, tag, tail = item["completion"].rpartition("<think>")
        completion = f"{head}{tag}({number}) {tail}"
        return {**item, "id": str(number), "completion": completion}


async def closed_loop(send: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Return items per second with CLIENTS batches always under way."""
    end = time.perf_counter() + seconds
    done = 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await send()
            done += BATCH

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return done / (time.perf_counter() - start)


async def open_loop(
    send: Callable[[], Awaitable[None]], seconds: float, items_per_s: float
) -> list[float]:
    """Return the latency of every batch in seconds, from when it should have left."""
    latencies: list[float] = []
    start = time.perf_counter()

    async def one(due: float) -> None:
        await asyncio.sleep(due - time.perf_counter())
        await send()
        latencies.append(time.perf_counter() - due)

    interval = BATCH / items_per_s
    async with asyncio.TaskGroup() as group:
        for number in range(max(1, int(seconds / interval))):
            group.create_task(one(start + number * interval))
    return latencies


async def measure(url: str, seconds: float) -> None:
    """Measure the workloads one after the other and print a line for each."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {url}")
    print(f"batches of {BATCH}, {CLIENTS} clients, {seconds:.0f} s for each figure\n")
    print(
        f"{'workload':17}{'items/s':>9}{'at':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'null':>6}"
    )
    async with httpx.AsyncClient(base_url=url, timeout=150, trust_env=False) as client:
        for name, verifiers in WORKLOADS.items():
            rows, tasks = workload(verifiers)
            load = Load(client, rows, tasks)
            await closed_loop(load.send, WARM_UP_S)
            maximum = await closed_loop(load.send, seconds)
            rate = maximum * SHARE_OF_MAXIMUM
            latencies = await open_loop(load.send, seconds, rate)
            figures = [maximum, rate, len(latencies)]
            figures += [cut * 1000 for cut in percentiles(latencies)]
            shown = "".join(f"{figure:9.0f}" for figure in (*figures, load.unscored))
            print(f"{name:17}{shown}", flush=True)
    print("\nitems/s: the most it did. p50 to p99: latency of `batches` offered at the rate `at`.")
    print("null: items without a reward, which must be 0.")


def workload(verifiers: set[str]) -> tuple[list[Json], Json]:
    """Return the rows and tasks of the example batch, with only these verifiers on each task.

    Left out are programs that run into a limit: they measure the limit.
    """
    lines = [json.loads(line) for line in FILE.read_text("utf-8").splitlines() if line]
    tasks = {}
    for task in (line["task"] for line in lines if "task" in line):
        rules = [rule for rule in task["verifiers"] if rule["name"] in verifiers]
        if rules:
            name = task.pop("id")
            tasks[name] = {**task, "verifiers": rules}
    rows = [line for line in lines if line.get("item", {}).get("task_id") in tasks]
    return [row for row in rows if not SLOW & set(found(row))], tasks


def found(row: Json) -> Iterator[str]:
    """Yield every verdict that the row expects or allows."""
    for verdict in row["expected"].values():
        yield from verdict if isinstance(verdict, list) else [verdict]


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """Return the 50th, 95th and 99th percentile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a running service.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=15, help="for each of two figures")
    options = parser.parse_args()
    asyncio.run(measure(options.url, options.seconds))


if __name__ == "__main__":
    main()
