"""
A submission's tests on all slots that stand idle, with the outcome of running them in turn.

Runs count in the order of the tests, whatever the order in which they end; one that an earlier test
made unnecessary is stopped and forgotten. So no verdict depends on how many slots were free.

Tests that are over in no time cost more to order than to run. So several of them are ordered at
once: a few times as many as have ended so far, because most programs that fail do so on one of
their first tests, and in slots that stood idle their whole share. A slot answers early when they
take long after all.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice

from sandbox.base import Run, RunStopped, SandboxError, Status
from sandbox.pool import SlotPool
from sandbox.progress import Progress
from sandbox.session import Session

MAX_AHEAD = 32
"""How far a run may be ahead of a test that has not ended: its output is kept, maybe megabytes."""

NOT_WORTH_AN_ORDER = 2
"""So few tests go along with others: to order them takes a slot as long as to run them."""

MAX_INPUT_BYTES = 256 << 10
"""Of tests that are ordered at once: all are on their way before the first one begins."""

MAX_AT_ONCE = 16
GROWTH = 10
QUICK_MS = 50.0
"""Of tests that are ordered at once: how many, how many for each that has ended, and how long one
may have taken so far."""


class TestRuns:
    """Runs what `progress` asks for until it asks for nothing more."""

    __test__ = False  # the name starts as pytest's test classes do

    def __init__(self, progress: Progress, pool: SlotPool, deadline: float) -> None:
        self._progress = progress
        self._pool = pool
        self._deadline = deadline
        self._workers = 1
        self._count = 0
        self._slowest_ms = 0.0
        self._begun: dict[int, Session] = {}
        self._ended: dict[int, Run] = {}
        self._starved: int | None = None
        self._failure: SandboxError | None = None
        self._changed = asyncio.Event()

    async def run(self, session: Session) -> int | None:
        """Run in `session` and in borrowed ones; return a test whose time the host took, if any."""
        async with asyncio.TaskGroup() as helpers:
            try:
                await self._lead(session, helpers)
            except SandboxError as error:
                self._failure = error
                await self._stop(list(self._begun))
        if self._failure is not None:
            raise self._failure
        return self._starved

    async def _lead(self, session: Session, helpers: asyncio.TaskGroup) -> None:
        while not self._is_over():
            for _ in range(self._useful_helpers()):
                self._workers += 1
                helpers.create_task(self._help())
            if inputs := self._next(GROWTH * self._count):
                await self._run(inputs, session)
                continue
            self._changed.clear()
            await self._changed.wait()

    async def _help(self) -> None:
        """Work in an idle slot. What fails there is left to the session that leads."""
        program = self._progress.program
        try:
            async with self._pool.borrow(program, deadline=self._deadline) as session:
                if session is None:
                    return
                compiled = await session.compile()
                if compiled.was_starved or compiled.status is not Status.OK:
                    return
                while not (self._is_over() or self._pool.is_wanted):
                    if not (inputs := self._next(MAX_AT_ONCE)):
                        return
                    await self._run(inputs, session)
        except SandboxError:
            return
        finally:
            self._workers -= 1

    async def _run(self, inputs: dict[int, bytes], session: Session) -> None:
        submission = self._progress.submission
        self._begun |= dict.fromkeys(inputs, session)
        try:
            runs = await session.run_each(
                list(inputs.values()),
                submission.limits,
                call=submission.tests[next(iter(inputs))].call,
                is_failure_last=submission.scoring == "all_or_nothing"
                and not submission.allow_nonzero_exit,
            )
        except RunStopped:
            return
        finally:
            for index in inputs:
                self._begun.pop(index, None)
            self._changed.set()
        self._ended |= dict(zip(inputs, runs, strict=False))  # the last may not have begun
        self._count += len(runs)
        self._slowest_ms = max(self._slowest_ms, *(run.wall_ms for run in runs))
        self._take_in_turn()
        await self._stop([i for i in self._begun if self._is_over() or self._progress.is_done(i)])

    def _take_in_turn(self) -> None:
        progress = self._progress
        while not self._is_over() and (index := progress.next_test()) is not None:
            run = self._ended.pop(index, None)
            if run is None:
                return
            if run.was_starved:
                self._starved = index
            else:
                progress.record(index, run)

    async def _stop(self, tests: list[int]) -> None:
        for session in {self._begun.pop(index) for index in tests}:
            await session.stop()

    def _is_over(self) -> bool:
        has_to_end = self._starved is not None or self._failure is not None
        return has_to_end or self._progress.next_test() is None

    def _useful_helpers(self) -> int:
        """One for each test that could begin beside the one that the leading session takes."""
        most = self._pool.spare
        return max(0, sum(1 for _ in islice(self._open(), most + 1)) - 1)

    def _next(self, most: int) -> dict[int, bytes]:
        """Tests to run in one order, at most so many or one, with what they read."""
        tests = self._progress.submission.tests
        unopened = list(self._open())
        together = [i for i in unopened if tests[i].call == tests[unopened[0]].call]
        inputs: dict[int, bytes] = {}
        for index in together[: min(self._at_once(len(unopened)), max(1, most))]:
            stdin = tests[index].stdin()
            if inputs and sum(map(len, inputs.values())) + len(stdin) > MAX_INPUT_BYTES:
                break
            inputs[index] = stdin
        return inputs

    def _at_once(self, unopened: int) -> int:
        if self._slowest_ms > QUICK_MS:
            return 1
        fair_share = (unopened + len(self._begun)) // self._workers
        if unopened - fair_share <= NOT_WORTH_AN_ORDER:
            fair_share = unopened
        return max(1, min(MAX_AT_ONCE, fair_share))

    def _open(self) -> Iterator[int]:
        """Tests to begin, in order."""
        first = self._progress.next_test()
        if first is None:
            return
        for index in range(first, min(first + MAX_AHEAD, len(self._progress.submission.tests))):
            if not (index in self._begun or index in self._ended or self._progress.is_done(index)):
                yield index
