"""
What waits in this process, and whose turn it is.

Three circles, one inside the other: lanes, the keys of a lane, the requests of a key. Each gives
one job when its turn comes and goes to the back, so a request of four waits for at most one job
of every other request, and never for a burst of thousands. Requests of one completion that were
joined stay in front until each has had its turn, or those that come later would overtake them.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from typing import Generic

from reward_service.broker.base import Caller, Depth, Job, P, R, Reply
from reward_service.errors import Overloaded


class Submission(Generic[P, R]):
    """One request's jobs: those that wait, and the results on their way back."""

    def __init__(self, jobs: Sequence[Job[P]], caller: Caller) -> None:
        self.caller = caller
        self.waiting: dict[str, deque[Job[P]]] = {}
        for job in jobs:
            self.waiting.setdefault(job.kind, deque()).append(job)
        self.since = time.monotonic()
        self._owed = {(job.id, index) for job in jobs for index in range(job.items)}
        self._results: asyncio.Queue[Reply[R]] = asyncio.Queue()

    def answer(self, reply: Reply[R]) -> bool:
        """Pass a result on; False if it is a second one for its index, or none was owed."""
        if (reply.job_id, reply.index) not in self._owed:
            return False
        self._owed.remove((reply.job_id, reply.index))
        self._results.put_nowait(reply)
        return True

    async def replies(self) -> AsyncIterator[Reply[R]]:
        """Results as they come, until all are in."""
        while self._owed or not self._results.empty():
            yield await self._results.get()


_Requests = OrderedDict[int, Submission[P, R]]
_Keys = OrderedDict[str, _Requests[P, R]]
_Lanes = OrderedDict[str, _Keys[P, R]]


class Turns(Generic[P, R]):
    """A bounded waiting room."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items = 0
        self._bytes = 0
        self._kinds: dict[str, _Lanes[P, R]] = {}

    def admit(self, jobs: Sequence[Job[P]], caller: Caller) -> Submission[P, R]:
        """Let all of `jobs` wait, or raise Overloaded."""
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
        submission: Submission[P, R] = Submission(jobs, caller)
        for kind in submission.waiting:
            lanes = self._kinds.setdefault(kind, OrderedDict())
            keys = lanes.setdefault(caller.lane, OrderedDict())
            keys.setdefault(caller.key, OrderedDict())[id(submission)] = submission
        return submission

    def next(self, kind: str) -> tuple[Job[P], Submission[P, R]] | None:
        """The next job that is still wanted, from the request whose turn it is."""
        lanes = self._kinds.get(kind, OrderedDict())
        while lanes:
            lane, keys = next(iter(lanes.items()))
            key, requests = next(iter(keys.items()))
            _, submission = next(iter(requests.items()))
            job = submission.waiting[kind].popleft()
            self._count_out(job)
            if submission.waiting[kind]:
                if not submission.caller.is_many:
                    requests.move_to_end(id(submission))
                keys.move_to_end(key)
                lanes.move_to_end(lane)
            else:
                self._leave(kind, submission)
            if job.deadline > time.monotonic():
                return job, submission
        return None

    def kinds(self) -> list[str]:
        """Kinds of which something waits."""
        return [kind for kind, lanes in self._kinds.items() if lanes]

    def drop(self, submission: Submission[P, R]) -> None:
        """Forget what waits, for a caller who has gone."""
        for kind, jobs in submission.waiting.items():
            if jobs:
                self._leave(kind, submission)
            while jobs:
                self._count_out(jobs.popleft())

    def depth(self) -> Depth:
        """What waits at the moment."""
        now = time.monotonic()
        oldest_s = {kind: now - _since(lanes, now) for kind, lanes in self._kinds.items()}
        return Depth(self._items, self._bytes, oldest_s)

    def _leave(self, kind: str, submission: Submission[P, R]) -> None:
        """Take it out of its circles; the key and the lane go to the back, or go if empty."""
        lane, key = submission.caller.lane, submission.caller.key
        lanes = self._kinds[kind]
        keys = lanes[lane]
        requests = keys[key]
        del requests[id(submission)]
        keys.move_to_end(key)
        lanes.move_to_end(lane)
        if not requests:
            del keys[key]
        if not keys:
            del lanes[lane]

    def _count_out(self, job: Job[P]) -> None:
        self._items -= job.items
        self._bytes -= job.size


def _since(lanes: _Lanes[P, R], default: float) -> float:
    """When the oldest of what waits came, on the clock."""
    return min(
        (
            submission.since
            for keys in lanes.values()
            for requests in keys.values()
            for submission in requests.values()
        ),
        default=default,
    )
