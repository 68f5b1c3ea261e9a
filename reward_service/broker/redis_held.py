"""An entry of the queue in a worker's hands, and the commands that let go of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from reward_service.broker.base import Lease, P
from reward_service.broker.redis_connection import Keys

GROUP = "workers"


@dataclass(slots=True)
class Held(Generic[P]):
    """An entry that this worker answers for."""

    kind: str
    entry: bytes
    replica: str
    first: int
    """Index, in the job as it was submitted, of the first part of this entry."""
    lease: Lease[P]


def reply_to(keys: Keys, held: Held[P], results: Mapping[int, bytes]) -> list[Any]:
    """Only to a stream that exists: a replica that has died leaves none behind."""
    words: list[Any] = ["XADD", keys.replies(held.replica), "NOMKSTREAM", "*"]
    words += ["job", held.lease.job.id]
    for index, data in results.items():
        words += [held.first + index, data]
    return words


def settle(keys: Keys, held: Held[P]) -> list[list[Any]]:
    """What takes an entry out of the queue for good."""
    key = keys.queue(held.kind)
    return [["XACK", key, GROUP, held.entry], ["XDEL", key, held.entry]]
