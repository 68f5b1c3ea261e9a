"""
Lease -> apply -> reply: the loop that does the work, in this process or in many.

If any loop fails the task group takes the process down with it: a worker that looks healthy and
does nothing is the worst kind.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from reward_service import tracing
from reward_service.broker.base import Broker, Lease
from reward_service.chunks import Done, Evaluation
from reward_service.errors import InfraError
from reward_service.origins import about
from reward_service.pool import Pool
from reward_service.programs import Programs
from reward_service.telemetry import IN_HAND, ITEM_QUEUE_SECONDS, ITEM_WORK_SECONDS
from reward_service.verdicts import Failure, Outcome

log = structlog.get_logger()

Work = Callable[[Evaluation, float, Callable[[], None]], Awaitable[tuple[Outcome, float]]]
"""An evaluation, its deadline (`time.monotonic()`) and what to call when it turns out to be slow
-> the outcome and the seconds it ran."""


class Worker:
    """Serves the pool's and the sandbox's queues.

    Where it is alone the caller, in the same process, logs which items failed.
    """

    def __init__(
        self, broker: Broker[Evaluation, Done], pool: Pool, programs: Programs, *, is_alone: bool
    ) -> None:
        self._broker = broker
        self._pool = pool
        self._programs = programs
        self._is_alone = is_alone

    async def serve_pool(self, limit: int) -> None:
        """Apply rules until the broker has no more leases; at most `limit` chunks at a time."""
        await self._serve("pool", self._apply, limit)

    async def serve_sandbox(self, limit: int, *, is_alone: bool) -> None:
        """Run programs until the broker has no more leases; at most `limit` at a time.

        While none can be run, whoever is alone says so of each; others leave them in the queue.
        """
        gate = None if is_alone else self._programs.wait_until_well
        await self._serve("sandbox", self._run, limit, gate)

    async def _serve(
        self, kind: str, work: Work, limit: int, gate: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        free = asyncio.Semaphore(limit)
        leases = self._broker.leases(kind)
        async with asyncio.TaskGroup() as group:
            while True:
                await free.acquire()
                if gate is not None:
                    await gate()
                if (lease := await anext(leases, None)) is None:
                    return
                place = _Place(free, lease.job.items)
                task = group.create_task(self._handle(lease, work, place), name=lease.job.id)
                task.add_done_callback(place.close)
                lease.on_revoke = task.cancel

    async def _handle(self, lease: Lease[Evaluation], work: Work, place: "_Place") -> None:
        job = lease.job
        in_hand = IN_HAND.labels(job.kind)
        in_hand.inc()
        try:
            with tracing.process(job.kind, job.trace, created=job.created, origins=job.origins):
                async with asyncio.TaskGroup() as group:
                    for index in range(len(job.payload)):
                        group.create_task(self._evaluate(lease, index, work, place))
        finally:
            in_hand.dec()
            await self._broker.finish(lease)

    async def _evaluate(
        self, lease: Lease[Evaluation], index: int, work: Work, place: "_Place"
    ) -> None:
        about.set(lease.job.origins_of(index))
        evaluation = lease.job.payload[index]
        leave = partial(place.leave, index)
        run_s = 0.0
        try:
            outcome, run_s = await work(evaluation, lease.job.deadline, leave)
        except InfraError as error:
            outcome = Failure(error.code, lease.job.kind, str(error), retryable=True)
        if isinstance(outcome, Failure):
            self._note(evaluation, outcome)
        ITEM_WORK_SECONDS.labels(lease.job.kind).observe(run_s)
        queue_s = max(0.0, time.monotonic() - lease.job.created - run_s)
        ITEM_QUEUE_SECONDS.labels(lease.job.kind).observe(queue_s)
        await self._broker.reply(lease, index, Done(outcome, queue_s * 1000, run_s * 1000))
        leave()

    def _note(self, evaluation: Evaluation, failure: Failure) -> None:
        tracing.fail(failure.code)
        if not self._is_alone:
            log.warning(
                "evaluation_failed",
                verifier=evaluation.verifier,
                code=failure.code,
                stage=failure.stage,
                attempts=failure.attempts,
            )

    async def _apply(
        self, evaluation: Evaluation, deadline: float, put_aside: Callable[[], None]
    ) -> tuple[Outcome, float]:
        return await self._pool.apply(evaluation, deadline=deadline, put_aside=put_aside)

    async def _run(
        self, evaluation: Evaluation, deadline: float, _: Callable[[], None]
    ) -> tuple[Outcome, float]:
        return await self._programs.score(evaluation, deadline)


class _Place:
    """A job's place among those in hand, given back once all that is left of it is slow."""

    def __init__(self, free: asyncio.Semaphore, items: int) -> None:
        self._free = free
        self._left = set(range(items))
        self._is_held = True

    def leave(self, index: int) -> None:
        """The item is done, or slow."""
        self._left.discard(index)
        if not self._left:
            self.close()

    def close(self, *_: object) -> None:
        """The job is over, whatever became of its items."""
        if self._is_held:
            self._is_held = False
            self._free.release()
