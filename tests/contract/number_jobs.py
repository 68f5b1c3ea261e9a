"""A queue of plain numbers in a real Redis, for tests of the queue alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from reward_service.broker.redis_members import Member
from reward_service.broker.redis_streams import RedisBroker

LONG = 10**9
"""Numbers from here on travel apart from their job, as long texts do."""
GIVEN_UP = -1


class NumberCodec:
    """Lists of numbers as JSON."""

    def dump_payload(self, payload: Sequence[int]) -> tuple[bytes, Mapping[str, bytes]]:
        shared = {f"n{number}": str(number).encode() for number in payload if number >= LONG}
        return json.dumps([f"n{n}" if n >= LONG else n for n in payload]).encode(), shared

    def load_payload(self, data: bytes, shared: Mapping[str, bytes]) -> list[int]:
        return [int(shared[n]) if isinstance(n, str) else n for n in json.loads(data)]

    def dump_result(self, result: int) -> bytes:
        return str(result).encode()

    def load_result(self, data: bytes) -> int:
        return int(data)

    def given_up(self, code: str, message: str) -> int:
        return GIVEN_UP


@asynccontextmanager
async def redis_broker(
    url: str, *, generation: str = "", capacity: int = 4, lease_s: float = 10.0, asks: bool = True
) -> AsyncIterator[RedisBroker[int, int]]:
    """A running broker that is both halves of a queue, by default one of its own."""
    broker = RedisBroker(
        url,
        NumberCodec(),
        generation=generation or uuid4().hex,
        max_items=100,
        max_bytes=10_000,
        member=Member(uuid4().hex, {"square": capacity, "cube": capacity}),
        asks=asks,
        lease_s=lease_s,
    )
    await broker.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(broker.run())
        yield broker
        running.cancel()
    await broker.close()
