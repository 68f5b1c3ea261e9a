"""
What the queue costs: jobs through Redis against bare commands, and one process against two.

`no-op`: numbers that nobody works on, in jobs of 16, through the whole broker, against the fewest
commands with which anybody could do the same: XADD, XREADGROUP, XADD of the result, XACK, XDEL, in
pipelines. Both in one process on one Redis, one after the other, so that only their ratio counts.

`singles`: 8,192 requests of one completion each against one batch of 8,192, over HTTP, by a service
of its own; and the same batch with two workers against one. Beside items per second, which a client
in Python limits, stands the CPU time of the API process alone.
"""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from redis.asyncio import Redis

from reward_service.broker.base import Job
from reward_service.broker.redis_members import Member
from reward_service.broker.redis_streams import RedisBroker

CHUNK = 16
IN_FLIGHT = 64
TEXT = "x" * 8_192


class Texts:
    """Payloads of texts of 8 KB as bytes, joined; results of one byte."""

    def dump_payload(self, payload: Sequence[str]) -> tuple[bytes, Mapping[str, bytes]]:
        """Join them."""
        return "\n".join(payload).encode(), {}

    def load_payload(self, data: bytes, shared: Mapping[str, bytes]) -> list[str]:
        """Part them."""
        return data.decode().split("\n")

    def dump_result(self, result: str) -> bytes:
        """As it is."""
        return result.encode()

    def load_result(self, data: bytes) -> str:
        """As it is."""
        return data.decode()

    def given_up(self, code: str, message: str) -> str:
        """It does not come to that."""
        return code


async def through_the_broker(url: str, items: int) -> float:
    """Items per second through submit, lease, reply and finish."""
    member = Member(uuid4().hex, {"no-op": IN_FLIGHT})
    broker: RedisBroker[str, str] = RedisBroker(
        url,
        Texts(),
        generation=uuid4().hex,
        max_items=items,
        max_bytes=items * 2 * len(TEXT),
        member=member,
    )
    await broker.start()

    async def work() -> None:
        async for lease in broker.leases("no-op"):
            for index in range(lease.job.items):
                await broker.reply(lease, index, "1")
            await broker.finish(lease)

    deadline = time.monotonic() + 600
    jobs = [
        Job(uuid4().hex, "no-op", [TEXT] * CHUNK, CHUNK * len(TEXT), deadline)
        for _ in range(items // CHUNK)
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(broker.run()), *(group.create_task(work()) for _ in range(2))]
        began = time.perf_counter()
        async with broker.submit(jobs) as replies:
            answered = len([reply async for reply in replies])
        took_s = time.perf_counter() - began
        for task in tasks:
            task.cancel()
    await broker.close()
    return answered / took_s


async def by_bare_commands(url: str, items: int) -> float:
    """Items per second by pipelines of nothing but the needed commands."""
    client = Redis.from_url(url, protocol=2)
    queue, replies = uuid4().hex, uuid4().hex
    await client.xgroup_create(queue, "workers", id="0", mkstream=True)
    payload = "\n".join([TEXT] * CHUNK).encode()
    jobs = items // CHUNK
    began = time.perf_counter()
    done = 0
    while done < jobs:
        count = min(IN_FLIGHT, jobs - done)
        async with client.pipeline(transaction=False) as pipe:
            for _ in range(count):
                pipe.xadd(queue, {"payload": payload})
            await pipe.execute()
        found: Any = await client.xreadgroup("workers", "one", {queue: ">"}, count=count)
        async with client.pipeline(transaction=True) as pipe:
            for entry, _ in found[0][1]:
                pipe.xadd(replies, {str(index): "1" for index in range(CHUNK)})
                pipe.xack(queue, "workers", entry)
                pipe.xdel(queue, entry)
            await pipe.execute()
        await client.xread({replies: "0"}, count=count)
        await client.xtrim(replies, maxlen=0)
        done += count
    took_s = time.perf_counter() - began
    await client.aclose()
    return jobs * CHUNK / took_s


@contextmanager
def private_redis() -> Iterator[str]:
    """A Redis with an append-only file, for this measurement alone."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rulegrade-bench-") as directory:
        program = shutil.which("redis-server") or "redis-server"
        process = subprocess.Popen(
            [
                *(program, "--port", str(port), "--save", "", "--appendonly", "yes"),
                *("--dir", directory, "--logfile", "redis.log", "--bind", "127.0.0.1"),
            ]
        )
        time.sleep(1)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


@dataclass(frozen=True, slots=True)
class Service:
    """A running one."""

    url: str
    pid: int
    """Of the API process."""

    def measure(
        self, work: Callable[[str, int], Awaitable[float]], count: int
    ) -> tuple[float, float]:
        """Items per second, and milliseconds of the API process's CPU time for an item."""
        before = cpu_s(self.pid)
        rate = asyncio.run(_awaited(work(self.url, count)))
        return rate, (cpu_s(self.pid) - before) / count * 1000


async def _awaited(work: Awaitable[float]) -> float:
    return await work


def cpu_s(pid: int, *, with_children: bool = False) -> float:
    """Seconds of CPU that a process has used; with its children, those that live and those gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15] if with_children else fields[11:13]))
    living = 0.0
    if with_children:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        living = sum(cpu_s(int(child), with_children=True) for child in children)
    return ticks / os.sysconf("SC_CLK_TCK") + living


@contextmanager
def service(redis_url: str | None, workers: int) -> Iterator[Service]:
    """A service without sandbox and cache, once it is ready."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("RULEGRADE_")}
    env |= {"RULEGRADE_SANDBOX_BACKEND": "off", "RULEGRADE_CACHE_MB": "0"}
    env |= {"RULEGRADE_POOL_WORKERS": "1", "RULEGRADE_LOG_LEVEL": "warning"}
    if redis_url:
        env["RULEGRADE_REDIS_URL"] = redis_url
    verbs = [["worker", "--probe-port", "0"]] * workers + [["serve", "--port", str(port)]]
    with ExitStack() as running:
        for verb in verbs:
            command = [sys.executable, "-m", "reward_service", *verb]
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        _wait(url, workers)
        yield Service(url, process.pid)


def _wait(url: str, workers: int) -> None:
    while True:
        try:
            ready = httpx.get(f"{url}/readyz", timeout=5).status_code == 200
            text = httpx.get(f"{url}/metrics", timeout=5).text
        except httpx.HTTPError:
            ready, text = False, ""
        if ready and (workers < 2 or f'rulegrade_workers{{kind="pool"}} {workers}.0' in text):
            return
        time.sleep(0.2)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def items_of(count: int) -> list[dict[str, Any]]:
    """Answers to mathematical problems, all different."""
    salt = uuid4().hex
    return [
        {
            "id": str(number),
            "completion": f"{salt} {number} \\boxed{{\\frac{{{number}}}{{7}}}}",
            "ground_truth": f"{number}/7",
            "verifiers": [{"name": "math"}],
        }
        for number in range(count)
    ]


async def one_batch(url: str, count: int) -> float:
    """Items per second of a batch."""
    items = items_of(count)
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        began = time.perf_counter()
        answer = await client.post("/v1/rewards", json={"items": items, "deadline_ms": 600_000})
        took_s = time.perf_counter() - began
    _insist(answer.json()["summary"]["scored"] == count, answer)
    return count / took_s


async def many_singles(url: str, count: int) -> float:
    """Items per second of as many requests, 256 at a time."""
    todo = iter(items_of(count))
    limits = httpx.Limits(max_connections=256)
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:

        async def send_for_ever() -> None:
            for item in todo:
                body = {"items": [item], "deadline_ms": 600_000}
                answer = await client.post("/v1/rewards", json=body)
                _insist(answer.json()["rewards"] == [1.0], answer)

        began = time.perf_counter()
        await asyncio.gather(*(send_for_ever() for _ in range(256)))
        return count / (time.perf_counter() - began)


def _insist(is_right: bool, answer: httpx.Response) -> None:
    if not is_right:
        raise SystemExit(f"{answer.status_code} {answer.text[:500]}")


def _show(name: str, first: tuple[float, float], second: tuple[float, float]) -> None:
    rate = f"{first[0]:9.0f}{second[0]:9.0f}{first[0] / second[0]:7.2f}"
    cpu = f"{first[1]:9.2f}{second[1]:9.2f}{first[1] / second[1]:7.2f}" if second[1] else ""
    print(f"{name:42}{rate}{cpu}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the queue.")
    parser.add_argument("--items", type=int, default=8_192)
    count = parser.parse_args().items
    print(f"{os.cpu_count()} cores, {count} items")
    print(f"{'':42}{'items/s':>9}{'against':>9}{'ratio':>7}{'CPU ms':>9}{'against':>9}{'ratio':>7}")
    with private_redis() as url:
        bare = asyncio.run(by_bare_commands(url, count)), 0.0
        broker = asyncio.run(through_the_broker(url, count)), 0.0
        _show("no-op, broker against bare commands", broker, bare)
    with service(None, 0) as alone:
        alone.measure(one_batch, 512)
        batch = alone.measure(one_batch, count)
        _show("one process: singles against a batch", alone.measure(many_singles, count), batch)
    with private_redis() as redis, service(redis, 1) as shared:
        shared.measure(one_batch, 512)
        batch = shared.measure(one_batch, count)
        _show(
            "Redis, 1 worker: singles against a batch", shared.measure(many_singles, count), batch
        )
    with private_redis() as redis, service(redis, 2) as two:
        two.measure(one_batch, 512)
        _show("Redis, a batch: 2 workers against 1", two.measure(one_batch, count), batch)


if __name__ == "__main__":
    main()
