"""
Connections to Redis and the names of our keys.

The client's defaults change between major versions, so each one that matters is spelled out. All
keys of a queue share one hash tag: a transaction over them works on a Redis Cluster, too.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from reward_service.errors import BrokerError

COMMAND_TIMEOUT_S = 5.0
BLOCK_MS = 1_000
BLOCKED_TIMEOUT_S = 15.0
"""Silence after which a blocked read takes its connection for dead."""
MAX_CONNECTIONS = 64
PAUSE_S = 0.2
"""Between two tries of a loop that found Redis out of reach; jittered, up to twice as long."""

AWAY = (RedisConnectionError, RedisTimeoutError, ReadOnlyError)
"""Redis cannot be reached, is loading, or is a replica that was promoted a moment ago."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Names in Redis. `generation` separates releases that must not share work."""

    generation: str

    def _name(self, rest: str) -> str:
        return f"rulegrade:{{{self.generation}}}:{rest}"

    def queue(self, kind: str) -> str:
        """Stream of jobs of one kind."""
        return self._name(f"queue:{kind}")

    def replies(self, replica: str) -> str:
        """Stream of results for one API process."""
        return self._name(f"replies:{replica}")

    def text(self, digest: str) -> str:
        """A long text that jobs share."""
        return self._name(f"text:{digest}")

    def worker(self, name: str) -> str:
        """What a worker says of itself; expires with it."""
        return self._name(f"worker:{name}")

    @property
    def workers(self) -> str:
        """Set of the names of workers."""
        return self._name("workers")

    @property
    def dead(self) -> str:
        """Stream of jobs that were given up, for people to look at."""
        return self._name("dead")

    @property
    def cancelled(self) -> str:
        """Channel that names running jobs whose callers have gone."""
        return self._name("cancelled")

    def stored(self, key: str) -> str:
        """An entry of the store."""
        return self._name(f"store:{key}")


def connect(url: str, *, retries: int) -> "Redis":
    """A client; BrokerError when `url` is none.

    It has no time limit of its own for commands: in Python 3.11 the client's swallows a
    cancellation that comes at the wrong moment. `call` has one.
    """
    try:
        return Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_timeout=None,
            socket_connect_timeout=COMMAND_TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=0,
            max_connections=MAX_CONNECTIONS,
            retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), retries),
        )
    except ValueError as error:
        raise BrokerError("redis_url is not a URL of a Redis server") from error


async def call(
    client: "Redis",
    *words: str | bytes | int | float,
    within_s: float = COMMAND_TIMEOUT_S,
    **reading: bool,
) -> Any:
    """One command, as Redis spells it; `reading` is for the client, where an answer has several
    forms. RedisError when it fails or takes longer than `within_s`."""
    async with _limited(within_s):
        return await client.execute_command(*words, **reading)  # type: ignore[no-untyped-call]


async def call_all(
    client: "Redis", commands: Sequence[Sequence[Any]], *, is_atomic: bool
) -> list[Any]:
    """Commands in one round trip, and their answers. Those of an atomic call are all done or none,
    and an error is raised; else an error is the answer of its own command, unless Redis is away."""
    if not commands:
        return []
    async with _limited(COMMAND_TIMEOUT_S), client.pipeline(transaction=is_atomic) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        answers: list[Any] = await pipe.execute(raise_on_error=is_atomic)
    for answer in answers:
        if isinstance(answer, AWAY):
            raise answer
    return answers


@asynccontextmanager
async def _limited(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {seconds:g} s") from error


async def pause() -> None:
    """Wait a little before the next try."""
    await asyncio.sleep(PAUSE_S * (1 + random.random()))  # noqa: S311 - spreads load, no secret


async def server_time_s(client: "Redis") -> float:
    """Redis's clock in Unix seconds."""
    seconds, microseconds = await call(client, "TIME")
    return float(seconds) + float(microseconds) / 1e6


def pairs(fields: Any) -> Mapping[bytes, bytes]:
    """The fields of a stream entry as a dictionary; an entry deleted meanwhile has none."""
    if isinstance(fields, dict):
        return fields
    return dict(zip(fields[::2], fields[1::2], strict=True)) if fields else {}
