"""
What every queue promises.

A job is answered in parts, one result per index, so that a caller whose deadline passes keeps
what was done. A job whose caller has gone, or whose deadline has passed, is not started; if it
runs, its lease is revoked. Deadlines are on the monotonic clock: nobody's wall clock ends a job.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from reward_service import tracing
from reward_service.origins import Origin, ids_of

P = TypeVar("P")
R = TypeVar("R")
Lane = Literal["train", "eval"]


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf jobs are queued. Lanes take turns, in a lane keys, and under a key requests,
    so that no burst keeps others waiting."""

    lane: Lane = "train"
    key: str = ""
    is_many: bool = False
    """The jobs are of many requests, joined: a turn of theirs is over when none of them waits."""


NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A chunk of work of one kind."""

    id: str
    kind: str
    payload: list[P]
    """One part for each result it owes."""
    size: int
    """Bytes, roughly; bounds the queue."""
    deadline: float
    """`time.monotonic()` after which nobody wants the results."""
    created: float = field(default_factory=time.monotonic)
    origins: Sequence[Sequence[Origin]] = ()
    """For each part, the items it is done for. They are for the log; none where nobody said."""
    trace: str = ""
    """The W3C `traceparent` of what sent the job; empty where nothing is traced."""

    def origins_of(self, index: int) -> Sequence[Origin]:
        """The items that a part is done for."""
        return self.origins[index] if self.origins else ()

    def named(self) -> dict[str, str | list[str]]:
        """What a log line about the job says of it: its id, for whom it is done, its trace."""
        ids = ids_of(origin for of_part in self.origins for origin in of_part)
        return {"job_id": self.id, **ids, **tracing.trace_id_of(self.trace)}

    @property
    def items(self) -> int:
        """How many results the job owes, at indices 0 … items-1."""
        return len(self.payload)


@dataclass(slots=True)
class Lease(Generic[P]):
    """A job in a worker's hands."""

    job: Job[P]
    token: str = ""
    """The broker's own name of it."""
    on_revoke: Callable[[], object] | None = None
    """Called when nobody wants the results any more; the worker stops then."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[R]):
    """One result of a job."""

    job_id: str
    index: int
    result: R


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits in this process."""

    items: int
    size: int
    oldest_s: Mapping[str, float]
    """Age of what waits longest, by kind of those that were ever asked for."""


class Codec(Protocol[P, R]):
    """Payloads and results as bytes, for brokers that leave the process. Plain data only."""

    def dump_payload(self, payload: Sequence[P]) -> tuple[bytes, Mapping[str, bytes]]:
        """The payload, and apart from it, by digest, long texts that many jobs share."""
        ...

    def load_payload(self, data: bytes, shared: Mapping[str, bytes]) -> list[P]:
        """Read back both halves; ValueError when they are not what `dump_payload` wrote."""
        ...

    def dump_result(self, result: R) -> bytes:
        """One result."""
        ...

    def load_result(self, data: bytes) -> R:
        """Read it back; ValueError when it is not one."""
        ...

    def given_up(self, code: str, message: str) -> R:
        """The result of a job that no worker could do: a failure of ours."""
        ...


class Broker(Protocol[P, R]):
    """A queue with leases. Raises Overloaded when full and BrokerError when out of reach."""

    def submit(
        self, jobs: Sequence[Job[P]], caller: Caller = NOBODY
    ) -> AbstractAsyncContextManager[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none; iterate over results as they come, until all are in.

        A submission larger than the whole queue is taken when nothing else waits.

        Leaving the context early drops what waits and revokes what runs.
        """
        ...

    def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind, until `stop_leasing`; one is taken only when it is asked for."""
        ...

    def stop_leasing(self) -> None:
        """End every `leases`; what was leased may still be answered."""
        ...

    async def reply(self, lease: Lease[P], index: int, result: R) -> None:
        """Hand in one result. The first one for an index wins."""
        ...

    async def finish(self, lease: Lease[P]) -> None:
        """Give the lease back; every result it owed has been handed in or is not wanted."""
        ...

    def depth(self) -> Depth:
        """What waits at the moment, running jobs not counted."""
        ...
