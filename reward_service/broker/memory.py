"""The queue inside one process: the default, needs no server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Generic

from reward_service.broker.base import NOBODY, Caller, Depth, Job, Lease, P, R, Reply
from reward_service.broker.turns import Submission, Turns


class MemoryBroker(Generic[P, R]):
    """A bounded queue in this process. See `Broker` for what it promises."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._turns: Turns[P, R] = Turns(max_items=max_items, max_bytes=max_bytes)
        self._running: dict[str, tuple[Lease[P], Submission[P, R]]] = {}
        self._is_open = True
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def submit(
        self, jobs: Sequence[Job[P]], caller: Caller = NOBODY
    ) -> AsyncIterator[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none."""
        submission = self._turns.admit(jobs, caller)
        async with self._changed:
            self._changed.notify_all()
        try:
            yield submission.replies()
        finally:
            self._turns.drop(submission)
            self._revoke(submission)

    async def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind; a job is taken when the caller asks for it."""
        while True:
            async with self._changed:
                while self._is_open and (found := self._turns.next(kind)) is None:
                    await self._changed.wait()
            if not self._is_open or found is None:
                return
            job, submission = found
            lease = Lease(job, token=job.id)
            self._running[job.id] = lease, submission
            yield lease

    def stop_leasing(self) -> None:
        """End every `leases` that is asked for its next job."""
        self._is_open = False

    async def reply(self, lease: Lease[P], index: int, result: R) -> None:
        """Hand in one result; a second one for the same index is ignored."""
        if lease.token in self._running:
            _, submission = self._running[lease.token]
            submission.answer(Reply(lease.job.id, index, result))

    async def finish(self, lease: Lease[P]) -> None:
        """Give the lease back."""
        self._running.pop(lease.token, None)

    def depth(self) -> Depth:
        """What waits at the moment."""
        return self._turns.depth()

    def _revoke(self, gone: Submission[P, R]) -> None:
        for lease, submission in list(self._running.values()):
            if submission is gone and lease.on_revoke is not None:
                lease.on_revoke()
