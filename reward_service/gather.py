"""
Small requests, queued together.

Most trainers send one completion per request, thousands of them at a time. What arrives while
earlier ones are on their way waits some milliseconds for company, so that it costs a shared queue
what one batch costs; equal work is joined. A request that finds nobody else leaves at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reward_service import tracing
from reward_service.broker.base import Broker, Caller
from reward_service.chunks import Done, Evaluation, Want, Wanted, jobs_for, time_left
from reward_service.errors import RewardError

GATHER_S = 0.004  # a tenth of what one worker takes for a chunk
ALIKE_S = 5.0
"""Deadlines that are so close may share a job, whose deadline is the latest."""

Answer = asyncio.Future[Done]


@dataclass(slots=True, eq=False)
class _Group:
    """Evaluations that are submitted together, and how many requests still wait for them."""

    caller: Caller
    deadline: float
    wanted: dict[Evaluation, Want] = field(default_factory=dict)
    answers: dict[Evaluation, Answer] = field(default_factory=dict)
    waiting: int = 0
    traced: list[tracing.Caller] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


class Gatherer:
    """Joins what small requests ask for. `run` must run."""

    def __init__(self, broker: Broker[Evaluation, Done]) -> None:
        self._broker = broker
        self._open: dict[tuple[Caller, int], _Group] = {}
        self._sent: set[_Group] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._sent:
                    await asyncio.sleep(GATHER_S)
                groups, self._open = self._open, {}
                for group in groups.values():
                    self._sent.add(group)
                    group.task = tasks.create_task(self._submit(group))

    @asynccontextmanager
    async def ask(
        self, wanted: Wanted, *, caller: Caller, deadline: float
    ) -> AsyncIterator[dict[Evaluation, Answer]]:
        """An answer to come for each evaluation; wait for them without cancelling them.

        Answers raise Overloaded and BrokerError. Leaving the context tells that they are not
        wanted any more.
        """
        group = self._group(caller, deadline)
        for evaluation, want in wanted.items():
            if evaluation not in group.answers:
                group.wanted[evaluation] = want
                group.answers[evaluation] = asyncio.get_running_loop().create_future()
            else:
                group.wanted[evaluation].join(want.origins)
        group.traced += tracing.callers()
        group.deadline = max(group.deadline, deadline)
        group.waiting += 1
        try:
            yield {evaluation: group.answers[evaluation] for evaluation in wanted}
        finally:
            group.waiting -= 1
            if not group.waiting and group.task is not None:
                group.task.cancel()

    def _group(self, caller: Caller, deadline: float) -> _Group:
        key = caller, int(deadline / ALIKE_S)
        if key not in self._open:
            self._open[key] = _Group(caller, deadline)
            self._wake.set()
        return self._open[key]

    async def _submit(self, group: _Group) -> None:
        if not group.waiting:
            return
        try:
            await self._collect(group)
        except TimeoutError:  # whoever still waits has a deadline of its own
            pass
        except RewardError as error:
            for answer in group.answers.values():
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # nobody may be left to look at it
        finally:
            self._sent.discard(group)

    async def _collect(self, group: _Group) -> None:
        jobs = jobs_for(_sorted(group.wanted), deadline=group.deadline, callers=group.traced)
        by_id = {job.id: job for job in jobs}
        async with (
            asyncio.timeout(time_left(group.deadline)),
            self._broker.submit(jobs, group.caller) as replies,
        ):
            async for reply in replies:
                answer = group.answers[by_id[reply.job_id].payload[reply.index]]
                if not answer.done():
                    answer.set_result(reply.result)


def _sorted(wanted: Wanted) -> Wanted:
    """Those with one reference side by side, so that they share a chunk."""

    def reference(entry: tuple[Evaluation, Want]) -> tuple[str, str, tuple[str, ...]]:
        evaluation, _ = entry
        return evaluation.verifier, evaluation.params, evaluation.attempt.ground_truth

    return dict(sorted(wanted.items(), key=reference))
