"""
The workers of a queue, as each describes itself for as long as it lives.

A description expires unless it is repeated, on Redis's clock, so that no two machines have to
agree on the time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from redis.asyncio import Redis

from reward_service.broker.redis_connection import Keys, call

ALIVE_S = 15


@dataclass(frozen=True, slots=True)
class Member:
    """A worker."""

    name: str
    capacity: Mapping[str, int]
    """Jobs of each kind that it can have in hand."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else it says of itself, for those above the queue; plain JSON."""


async def announce(client: "Redis", keys: Keys, member: Member) -> None:
    """Say that `member` is alive for the next 15 seconds."""
    await call(client, "SET", keys.worker(member.name), json.dumps(asdict(member)), "EX", ALIVE_S)
    await call(client, "SADD", keys.workers, member.name)


async def withdraw(client: "Redis", keys: Keys, name: str) -> None:
    """Say that it has gone."""
    await call(client, "DEL", keys.worker(name))
    await call(client, "SREM", keys.workers, name)


async def read_members(client: "Redis", keys: Keys) -> Sequence[Member]:
    """Those alive; names of dead ones are removed."""
    names = sorted(name.decode() for name in await call(client, "SMEMBERS", keys.workers))
    if not names:
        return ()
    said = await call(client, "MGET", *map(keys.worker, names))
    gone = [name for name, text in zip(names, said, strict=True) if text is None]
    if gone:
        await call(client, "SREM", keys.workers, *gone)
    return tuple(Member(**json.loads(text)) for text in said if text is not None)
