"""
Evaluations -> outcomes: known, decided here, or asked of a worker.

What is known from before is not done again; cheap linear rules run here; the rest is queued, big
requests by themselves and small ones together.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from reward_service import tracing
from reward_service.broker.base import Broker, Caller, Reply
from reward_service.chunks import Done, Evaluation, Wanted, jobs_for, time_left
from reward_service.gather import Gatherer, Settle
from reward_service.result_cache import ResultCache
from reward_service.verdicts import Failure
from reward_service.verifiers.apply import apply
from reward_service.verifiers.base import Place

SLICE_S = 0.005  # how long one batch may hold the event loop at a stretch
SMALL = 8  # evaluations up to which a request travels with others

Outcomes = AsyncIterator[tuple[Evaluation, Done]]


class Turn:
    """A batch's turn on the event loop, which others get again every few milliseconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def share(self) -> None:
        """Let others run if this turn has been long enough."""
        if time.monotonic() - self._began > SLICE_S:
            await asyncio.sleep(0)
            self._began = time.monotonic()


class Evaluator:
    """Finds the outcome of every evaluation. `run` must run.

    `refused` are places where nothing is done here, and what is said of it.
    """

    def __init__(
        self,
        broker: Broker[Evaluation, Done],
        cache: ResultCache,
        refused: Mapping[Place, Failure],
    ) -> None:
        self._broker = broker
        self._refused = refused
        self._cache = cache
        self._gatherer = Gatherer(broker)
        self._fresh: asyncio.Queue[dict[Evaluation, Done]] = asyncio.Queue(maxsize=1_000)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._gatherer.run())
            group.create_task(self._cache.run())
            group.create_task(self._keep_for_ever())

    async def evaluate(
        self, wanted: Wanted, settle: Settle, *, caller: Caller, deadline: float
    ) -> None:
        """Call `settle` with each outcome as it comes, until all are in or `deadline` has passed.

        Raises Overloaded and BrokerError when the queue takes nothing.
        """
        fresh: dict[Evaluation, Done] = {}

        def note(evaluation: Evaluation, done: Done) -> None:
            fresh[evaluation] = done
            settle(evaluation, done)

        inline = []
        queued = {}
        for evaluation, want in wanted.items():
            if want.place in self._refused:
                settle(evaluation, Done(self._refused[want.place]))
            elif want.place == "inline":
                inline.append(evaluation)
            else:
                queued[evaluation] = want
        if not queued and len(inline) <= SMALL:  # over in a moment, whatever the deadline
            await _apply(inline, settle)
            return
        try:
            async with asyncio.timeout(time_left(deadline)):
                rest = await self._unknown(queued, settle)
                if len(rest) > SMALL:
                    async with self._asked(rest, caller, deadline) as outcomes:
                        await _apply(inline, settle)
                        async for evaluation, done in outcomes:
                            note(evaluation, done)
                else:
                    await _apply(inline, settle)
                    if rest:
                        await self._gatherer.ask(rest, note, caller=caller, deadline=deadline)
        except TimeoutError:  # what was not settled was not decided
            pass
        finally:
            if fresh and not self._fresh.full():
                self._fresh.put_nowait(fresh)

    async def _unknown(self, queued: Wanted, settle: Settle) -> Wanted:
        """What is left to be asked of a worker."""
        if not queued:
            return queued
        known = await self._cache.find(queued)
        for evaluation, outcome in known.items():
            settle(evaluation, Done(outcome, is_cached=True))
        return {e: want for e, want in queued.items() if e not in known} if known else queued

    @asynccontextmanager
    async def _asked(
        self, wanted: Wanted, caller: Caller, deadline: float
    ) -> AsyncIterator[Outcomes]:
        jobs = jobs_for(wanted, deadline=deadline, callers=tracing.callers())
        asked = {job.id: job.payload for job in jobs}
        async with self._broker.submit(jobs, caller) as replies:
            yield _named(replies, asked)

    async def _keep_for_ever(self) -> None:
        """Remember outcomes apart from the requests, whose answers do not wait for it."""
        while True:
            fresh = dict(await self._fresh.get())
            while not self._fresh.empty():  # of many requests in one command
                fresh.update(self._fresh.get_nowait())
            await self._cache.keep({e: done.outcome for e, done in fresh.items()})


async def _apply(evaluations: Sequence[Evaluation], settle: Settle) -> None:
    """Cheap linear rules, here."""
    turn = Turn()
    for evaluation in evaluations:
        await turn.share()
        began = time.monotonic()
        outcome = apply(evaluation.verifier, evaluation.params, evaluation.attempt)
        settle(evaluation, Done(outcome, run_ms=(time.monotonic() - began) * 1000))


async def _named(
    replies: AsyncIterator[Reply[Done]], asked: Mapping[str, Sequence[Evaluation]]
) -> Outcomes:
    async for reply in replies:
        yield asked[reply.job_id][reply.index], reply.result
