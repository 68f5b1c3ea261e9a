"""The store in Redis: shared by every process of the service, kept through restarts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from reward_service.broker.redis_connection import Keys, call, call_all, server_time_s
from reward_service.errors import BrokerError, Overloaded


class RedisStore:
    """See `Store`."""

    is_shared = True

    def __init__(self, client: "Redis", keys: Keys) -> None:
        self._client = client
        self._name = keys.stored

    async def now_s(self) -> float:
        """Redis's clock."""
        async with _told():
            return await server_time_s(self._client)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of the keys that hold something."""
        if not keys:
            return {}
        async with _told():
            found = await call(self._client, "MGET", *map(self._name, keys))
        return {key: data for key, data in zip(keys, found, strict=True) if data is not None}

    async def put_many(self, values: Mapping[str, bytes], *, kept_s: float) -> None:
        """Keep each value, whatever was there."""
        kept_ms = int(kept_s * 1000)
        await self._all([["SET", self._name(k), v, "PX", kept_ms] for k, v in values.items()])

    async def claim(self, key: str, value: bytes, *, kept_s: float) -> bool:
        """Keep the value if the key holds nothing."""
        async with _told():
            words = ("SET", self._name(key), value, "NX", "PX", int(kept_s * 1000))
            return bool(await call(self._client, *words))

    async def renew(self, key: str, *, kept_s: float) -> bool:
        """Keep what the key holds for longer."""
        async with _told():
            return bool(await call(self._client, "PEXPIRE", self._name(key), int(kept_s * 1000)))

    async def delete(self, key: str) -> bool:
        """Forget it."""
        async with _told():
            return bool(await call(self._client, "DEL", self._name(key)))

    async def append(self, key: str, lines: Sequence[bytes], *, kept_s: float) -> None:
        """Add lines to the end of a list."""
        name = self._name(key)
        await self._all([["RPUSH", name, *lines], ["PEXPIRE", name, int(kept_s * 1000)]])

    async def lines(self, key: str, start: int, count: int) -> list[bytes]:
        """At most `count` lines of a list from `start` on."""
        async with _told():
            words = ("LRANGE", self._name(key), start, start + count - 1)
            found: list[bytes] = await call(self._client, *words)
        return found

    async def join(self, name: str, member: str) -> None:
        """Add to a set."""
        async with _told():
            await call(self._client, "SADD", self._name(name), member)

    async def part(self, name: str, member: str) -> None:
        """Remove from a set."""
        async with _told():
            await call(self._client, "SREM", self._name(name), member)

    async def members(self, name: str) -> set[str]:
        """The whole set."""
        async with _told():
            found = await call(self._client, "SMEMBERS", self._name(name))
        return {member.decode() for member in found}

    async def _all(self, commands: Sequence[Sequence[Any]]) -> None:
        async with _told():
            await call_all(self._client, commands, is_atomic=True)


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Redis's errors in the service's terms."""
    try:
        yield
    except OutOfMemoryError as error:
        raise Overloaded("the memory of Redis is full", retry_after_s=5.0) from error
    except RedisError as error:
        raise BrokerError(f"Redis: {error}") from error
