"""
Small requests, queued together.

Most trainers send one completion per request, thousands of them at a time. What arrives while
earlier ones are on their way waits some milliseconds for company, so that it costs a shared queue
what one batch costs; equal work is joined. A request that finds nobody else leaves at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from reward_service import tracing
from reward_service.broker.base import Broker, Caller
from reward_service.chunks import Done, Evaluation, Want, Wanted, jobs_for, time_left
from reward_service.errors import RewardError

GATHER_S = 0.004  # a tenth of what one worker takes for a chunk
ALIKE_S = 5.0
"""Deadlines that are so close may share a job, whose deadline is the latest."""

Settle = Callable[[Evaluation, Done], None]


class _Asker:
    """One request: what has come for it, and the wait for more."""

    def __init__(self) -> None:
        self._come: list[tuple[Evaluation, Done]] = []
        self._error: RewardError | None = None
        self._more: asyncio.Future[None] | None = None

    async def more(self) -> Sequence[tuple[Evaluation, Done]]:
        """What has come since the last time, once there is something."""
        if not self._come and self._error is None:
            self._more = asyncio.get_running_loop().create_future()
            await self._more
        if not self._come and self._error is not None:
            raise self._error
        come, self._come = self._come, []
        return come

    def give(self, evaluation: Evaluation, done: Done) -> None:
        self._come.append((evaluation, done))
        self._wake()

    def fail(self, error: RewardError) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


@dataclass(slots=True, eq=False)
class _Group:
    """Evaluations that are submitted together, and how many requests still wait for them."""

    caller: Caller
    deadline: float
    wanted: dict[Evaluation, Want] = field(default_factory=dict)
    askers: dict[Evaluation, list[_Asker]] = field(default_factory=dict)
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

    async def ask(self, wanted: Wanted, settle: Settle, *, caller: Caller, deadline: float) -> None:
        """Call `settle` with each outcome as it comes, until all are in or this is cancelled.

        Raises Overloaded and BrokerError.
        """
        group = self._group(caller, deadline)
        asker = _Asker()
        for evaluation, want in wanted.items():
            if evaluation not in group.wanted:
                group.wanted[evaluation] = want
            else:
                group.wanted[evaluation].join(want.origins)
            group.askers.setdefault(evaluation, []).append(asker)
        group.traced += tracing.callers()
        group.deadline = max(group.deadline, deadline)
        group.waiting += 1
        left = len(wanted)
        try:
            while left:
                for evaluation, done in await asker.more():
                    settle(evaluation, done)
                    left -= 1
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
            for asker in {asker for askers in group.askers.values() for asker in askers}:
                asker.fail(error)
        finally:
            self._sent.discard(group)

    async def _collect(self, group: _Group) -> None:
        jobs = jobs_for(_sorted(group.wanted), deadline=group.deadline, callers=group.traced)
        by_id = {job.id: job for job in jobs}
        async with (
            asyncio.timeout(time_left(group.deadline)),
            self._broker.submit(jobs, replace(group.caller, is_many=True)) as replies,
        ):
            async for reply in replies:
                evaluation = by_id[reply.job_id].payload[reply.index]
                for asker in group.askers[evaluation]:
                    asker.give(evaluation, reply.result)


def _sorted(wanted: Wanted) -> Wanted:
    """Those with one reference side by side, so that they share a chunk."""

    def reference(entry: tuple[Evaluation, Want]) -> tuple[str, str, tuple[str, ...]]:
        evaluation, _ = entry
        return evaluation.verifier, evaluation.params, evaluation.attempt.ground_truth

    return dict(sorted(wanted.items(), key=reference))
