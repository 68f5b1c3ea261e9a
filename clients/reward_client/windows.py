"""
Micro-batching: single calls that arrive within some milliseconds travel as one request.

Trainers ask for one completion at a time from many threads or tasks; a request each costs the
service and the network several times what one batch of them costs.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from copy import copy

from reward_client.calls import Item, Options
from reward_client.errors import RewardClientError, Unreachable
from reward_client.wire import Result

Outcome = Result | RewardClientError


class _Batch:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.is_full = threading.Event()
        self.outcomes: Future[list[Outcome]] = Future()


class ThreadWindow:
    """For threads: the first one in a window waits for others, then sends for all."""

    def __init__(self, options: Options, send: Callable[[list[Item], int], list[Outcome]]) -> None:
        self._options = options
        self._send = send
        self._lock = threading.Lock()
        self._open: dict[int, _Batch] = {}

    def score(self, item: Item, deadline_ms: int) -> Result:
        """The item's result. Raises what concerns this item."""
        json.dumps(item)  # what cannot be sent fails here, alone
        batch, index = self._join(item, deadline_ms)
        if index == 0:
            self._lead(batch, deadline_ms)
        return _result(batch.outcomes.result()[index])

    def _join(self, item: Item, deadline_ms: int) -> tuple[_Batch, int]:
        with self._lock:
            batch = self._open.setdefault(deadline_ms, _Batch())
            batch.items.append(item)
            if len(batch.items) >= self._options.window_items:
                del self._open[deadline_ms]
                batch.is_full.set()
            return batch, len(batch.items) - 1

    def _lead(self, batch: _Batch, deadline_ms: int) -> None:
        try:
            try:
                batch.is_full.wait(self._options.window_s)
            finally:
                with self._lock:
                    if self._open.get(deadline_ms) is batch:
                        del self._open[deadline_ms]
            batch.outcomes.set_result(self._send(batch.items, deadline_ms))
        finally:
            if not batch.outcomes.done():  # this thread was interrupted; the others must not hang
                error = Unreachable("the thread that sent the batch was interrupted")
                batch.outcomes.set_result([error] * len(batch.items))


class TaskWindow:
    """For the tasks of one event loop."""

    def __init__(
        self, options: Options, send: Callable[[list[Item], int], Awaitable[list[Outcome]]]
    ) -> None:
        self._options = options
        self._send = send
        self._open: dict[int, _Sending] = {}

    async def score(self, item: Item, deadline_ms: int) -> Result:
        """The item's result. Raises what concerns this item."""
        json.dumps(item)  # what cannot be sent fails here, alone
        batch = self._open.get(deadline_ms)
        if batch is None:
            batch = self._open[deadline_ms] = _Sending()
            batch.task = asyncio.create_task(self._lead(batch, deadline_ms))
        index = len(batch.items)
        batch.items.append(item)
        if index + 1 >= self._options.window_items:
            del self._open[deadline_ms]
            batch.is_full.set()
        return _result((await batch.outcomes())[index])

    async def _lead(self, batch: "_Sending", deadline_ms: int) -> list[Outcome]:
        try:
            async with asyncio.timeout(self._options.window_s):
                await batch.is_full.wait()
        except TimeoutError:
            pass
        finally:
            if self._open.get(deadline_ms) is batch:
                del self._open[deadline_ms]
        return await self._send(batch.items, deadline_ms)


class _Sending:
    """A batch on its way, given up when the last task that waits for it is cancelled."""

    task: "asyncio.Task[list[Outcome]]"

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.is_full = asyncio.Event()
        self._waiting = 0

    async def outcomes(self) -> list[Outcome]:
        """What came of the items, for each of the tasks that wait."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self.task.cancel()


def _result(outcome: Outcome) -> Result:
    if isinstance(outcome, RewardClientError):
        raise copy(outcome)  # others raise it too, each with a traceback of its own
    return outcome
