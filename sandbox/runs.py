"""
A submission's tests on all slots that stand idle, with the outcome of running them in turn.

Runs count in the order of the tests, whatever the order in which they end; one that an earlier test
made unnecessary is stopped and forgotten. So no verdict depends on how many slots were free.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice

from sandbox.base import Run, RunStopped, SandboxError, Status
from sandbox.pool import Session, SlotPool
from sandbox.progress import Progress

MAX_AHEAD = 32
"""How far a run may be ahead of a test that has not ended: its output is kept, maybe megabytes."""


class TestRuns:
    """Runs what `progress` asks for until it asks for nothing more."""

    __test__ = False  # the name starts as pytest's test classes do

    def __init__(self, progress: Progress, pool: SlotPool, deadline: float) -> None:
        self._progress = progress
        self._pool = pool
        self._deadline = deadline
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
                helpers.create_task(self._help())
            index = next(self._open(), None)
            if index is not None:
                await self._run(index, session)
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
                    index = next(self._open(), None)
                    if index is None:
                        return
                    await self._run(index, session)
        except SandboxError:
            return

    async def _run(self, index: int, session: Session) -> None:
        submission = self._progress.submission
        test = submission.tests[index]
        self._begun[index] = session
        try:
            run = await session.run(test.stdin(), submission.limits, call=test.call)
            self._ended[index] = run
        except RunStopped:
            return
        finally:
            self._begun.pop(index, None)
            self._changed.set()
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
        for session in [self._begun.pop(index) for index in tests]:
            await session.stop()

    def _is_over(self) -> bool:
        has_to_end = self._starved is not None or self._failure is not None
        return has_to_end or self._progress.next_test() is None

    def _useful_helpers(self) -> int:
        """One for each test that could begin beside the one that the leading session takes."""
        most = self._pool.spare
        return max(0, sum(1 for _ in islice(self._open(), most + 1)) - 1)

    def _open(self) -> Iterator[int]:
        """Tests to begin, in order."""
        first = self._progress.next_test()
        if first is None:
            return
        for index in range(first, min(first + MAX_AHEAD, len(self._progress.submission.tests))):
            if not (index in self._begun or index in self._ended or self._progress.is_done(index)):
                yield index
