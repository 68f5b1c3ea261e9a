"""
Numbers that nobody works on, through the whole broker, against the fewest commands with which
anybody could do the same: XADD, XREADGROUP, XADD of the result, XACK, XDEL, in pipelines.

Both in one process on one Redis, one after the other, so that only their ratio counts.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

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
