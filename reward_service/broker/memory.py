"""
The queue inside one process: the default, needs no server.

Callers take turns, one job each, so a batch of thousands does not starve a batch of four.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Generic

from reward_service.broker.base import Depth, Job, Lease, P, R, Reply
from reward_service.errors import Overloaded


class _Submission(Generic[P, R]):
    """One caller's jobs: those that wait, those that run, and the results on their way back."""

    def __init__(self, jobs: Sequence[Job[P]]) -> None:
        self.waiting: dict[str, deque[Job[P]]] = {}
        for job in jobs:
            self.waiting.setdefault(job.kind, deque()).append(job)
        self.owed = {(job.id, index) for job in jobs for index in range(job.items)}
        self.running: dict[str, Lease[P]] = {}
        self.results: asyncio.Queue[Reply[R]] = asyncio.Queue()
        self.since = time.monotonic()

    async def replies(self) -> AsyncIterator[Reply[R]]:
        while self.owed or not self.results.empty():
            yield await self.results.get()


class MemoryBroker(Generic[P, R]):
    """A bounded queue in this process. See `Broker` for what it promises."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items = 0
        self._bytes = 0
        self._turns: dict[str, OrderedDict[int, _Submission[P, R]]] = {}
        self._owner: dict[str, _Submission[P, R]] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def submit(self, jobs: Sequence[Job[P]]) -> AsyncIterator[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none."""
        self._admit(jobs)
        submission: _Submission[P, R] = _Submission(jobs)
        for kind in submission.waiting:
            self._turns.setdefault(kind, OrderedDict())[id(submission)] = submission
        self._owner.update((job.id, submission) for job in jobs)
        await self._notify()
        try:
            yield submission.replies()
        finally:
            self._drop(submission)

    async def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind, callers taking turns; a job is taken when the caller asks for it."""
        while True:
            async with self._changed:
                while (job := self._next(kind)) is None:
                    await self._changed.wait()
            lease = Lease(job)
            self._owner[job.id].running[job.id] = lease
            yield lease

    async def reply(self, lease: Lease[P], index: int, result: R) -> None:
        """Hand in one result; a second one for the same index is ignored."""
        job_id = lease.job.id
        submission = self._owner.get(job_id)
        if submission is not None and (job_id, index) in submission.owed:
            submission.owed.remove((job_id, index))
            submission.results.put_nowait(Reply(job_id, index, result))

    async def finish(self, lease: Lease[P]) -> None:
        """Give the lease back."""
        submission = self._owner.pop(lease.job.id, None)
        if submission is not None:
            submission.running.pop(lease.job.id, None)

    def depth(self) -> Depth:
        """What waits at the moment."""
        waiting = [s for turn in self._turns.values() for s in turn.values()]
        oldest = min((s.since for s in waiting), default=time.monotonic())
        return Depth(self._items, self._bytes, time.monotonic() - oldest)

    def _admit(self, jobs: Sequence[Job[P]]) -> None:
        items = sum(job.items for job in jobs)
        size = sum(job.size for job in jobs)
        is_over = self._items + items > self._max_items or self._bytes + size > self._max_bytes
        if is_over and self._items:  # alone, a submission of any size is as good now as later
            raise Overloaded(
                f"the queue is full: {self._items} items and {self._bytes} bytes wait",
                retry_after_s=1.0,
            )
        self._items += items
        self._bytes += size

    def _next(self, kind: str) -> Job[P] | None:
        """The next job that is still wanted, from the caller whose turn it is."""
        turns = self._turns.get(kind, OrderedDict())
        while turns:
            key, submission = turns.popitem(last=False)
            job = submission.waiting[kind].popleft()
            self._items -= job.items
            self._bytes -= job.size
            if submission.waiting[kind]:
                turns[key] = submission
            if job.deadline > time.time():
                return job
            self._owner.pop(job.id, None)
        return None

    def _drop(self, submission: "_Submission[P, R]") -> None:
        """Forget what waits and revoke what runs, for a caller who has gone."""
        for kind, jobs in submission.waiting.items():
            self._turns[kind].pop(id(submission), None)
            for job in jobs:
                self._items -= job.items
                self._bytes -= job.size
                self._owner.pop(job.id, None)
        for lease in list(submission.running.values()):
            if lease.on_revoke is not None:
                lease.on_revoke()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
