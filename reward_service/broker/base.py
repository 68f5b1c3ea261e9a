"""
What every queue promises.

A job is answered in parts, one result per index, so that a caller whose deadline passes keeps
what was done. A job whose caller has gone, or whose deadline has passed, is not started; if it
runs, its lease is revoked.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A chunk of work of one kind."""

    id: str
    kind: str
    payload: P
    items: int
    """How many results the job owes, at indices 0 … items-1."""
    size: int
    """Bytes, roughly; bounds the queue."""
    deadline: float
    """Unix seconds after which nobody wants the results."""
    created: float = field(default_factory=time.time)
    """Unix seconds."""


@dataclass(slots=True)
class Lease(Generic[P]):
    """A job in a worker's hands."""

    job: Job[P]
    taken: float = field(default_factory=time.time)
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
    """How much waits."""

    items: int
    size: int
    oldest_s: float


class Broker(Protocol[P, R]):
    """A queue with leases. Raises Overloaded when full and BrokerError when out of reach."""

    def submit(
        self, jobs: Sequence[Job[P]]
    ) -> AbstractAsyncContextManager[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none; iterate over results as they come, until all are in.

        A submission larger than the whole queue is taken when nothing else waits.

        Leaving the context early drops what waits and revokes what runs.
        """
        ...

    def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind, for ever; a job is taken only when the next one is asked for."""
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
