"""The client for coroutines; every method is the namesake's of `RewardClient`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakKeyDictionary

import httpx

from reward_client import calls
from reward_client.calls import Call, Item, Tasks
from reward_client.errors import BadRequest, RewardClientError, Unreachable, refusal
from reward_client.retries import Retries, Tries
from reward_client.windows import Outcome, TaskWindow
from reward_client.wire import JSON_OBJECT, RESULT, Json, Result, Rewards

T = TypeVar("T")
Loops = WeakKeyDictionary[asyncio.AbstractEventLoop, T]


class AsyncRewardClient:
    """Talks to the service at `url`, or at RULEGRADE_URL.

    May be shared by event loops of several threads, pickled, and used after a fork: every loop has
    its own connections. Raises as RewardClient does.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        connect_s: float = 5.0,
        grace_s: float = 10.0,
        retries: Retries | None = None,
        window_s: float = 0.01,
    ) -> None:
        """`api_key` defaults to RULEGRADE_API_KEY.

        Args:
            connect_s: seconds for one attempt to connect.
            grace_s: seconds that transfer, queueing and retries may add to a call's deadline.
            retries: how often a request is sent again, and how patiently.
            window_s: how long `score_one` waits for others to travel with.
        """
        self._options = calls.options(
            url,
            api_key,
            connect_s=connect_s,
            grace_s=grace_s,
            retries=retries or Retries(),
            window_s=window_s,
        )
        self._pools: Loops[_Connected] = WeakKeyDictionary()
        self._windows: Loops[TaskWindow] = WeakKeyDictionary()

    async def score(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> Rewards:
        """Score a batch and wait. A null reward is not 0: mask it."""
        return await self._send(calls.score(items, tasks, deadline_ms, self._options.grace_s))

    async def score_one(self, item: Item, *, deadline_ms: int = 60_000) -> Result:
        """Score one item; calls of other tasks within some milliseconds share the request."""
        loop = asyncio.get_running_loop()
        window = self._windows.get(loop)
        if window is None:
            window = self._windows[loop] = TaskWindow(self._options, self._send_singles)
        return await window.score(item, deadline_ms)

    async def score_stream(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> AsyncGenerator[Result, None]:
        """Results as items finish, in no set order; the rest is cancelled when iteration stops."""
        batch_id = await self.submit(items, tasks=tasks, deadline_ms=deadline_ms)
        missing = len(items)
        total_s = deadline_ms / 1000 + self._options.grace_s
        try:
            async for result in self.results(batch_id, total_s=total_s):
                missing -= 1
                yield result
            if missing:
                raise Unreachable(f"the batch ended without {missing} of its results")
        finally:
            if missing:
                with contextlib.suppress(RewardClientError):  # why it ended is told already
                    await self.cancel(batch_id)

    async def submit(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> str:
        """Hand a batch over without waiting for its rewards; its id."""
        return str((await self._send(calls.submit(items, tasks, deadline_ms)))["batch_id"])

    async def poll(self, batch_id: str, *, wait_s: float = 0.0) -> Json:
        """State of a batch, asked for up to `wait_s` seconds until it is done."""
        return await self._send(calls.poll(batch_id, wait_s))

    async def results(self, batch_id: str, *, total_s: float = 600.0) -> AsyncIterator[Result]:
        """The results of a submitted batch, as items finish."""
        call = calls.results(batch_id, total_s)
        due = time.monotonic() + total_s
        timeout = self._options.timeout(total_s)
        try:
            pool = await self._pool()
            async with pool.stream(**call.arguments(), timeout=timeout) as response:
                if response.is_error:
                    body = await response.aread()
                    raise refusal(response.status_code, response.reason_phrase, body)
                async for line in response.aiter_lines():
                    if time.monotonic() > due:
                        raise Unreachable(f"not all results came within {total_s:g} s")
                    yield RESULT.validate_json(line)
        except httpx.TransportError as error:
            raise Unreachable(f"the results broke off: {error!r}") from error

    async def cancel(self, batch_id: str) -> None:
        """Give up a submitted batch; one that is gone is none the worse."""
        await self._delete(calls.delete_path("batches", batch_id))

    async def check_tasks(self, tasks: Tasks, *, deadline_ms: int = 60_000) -> Json:
        """Which tasks no completion could be scored for; to be asked before training."""
        return await self._send(calls.check_tasks(tasks, deadline_ms, self._options.grace_s))

    async def put_task(self, task_id: str, task: Item) -> Json:
        """Store a task, whose `task_id` items may then name in later calls."""
        return await self._send(calls.put_task(task_id, task))

    async def get_task(self, task_id: str) -> Json:
        """A stored task."""
        return await self._send(calls.get_task(task_id))

    async def delete_task(self, task_id: str) -> None:
        """Forget a stored task."""
        await self._delete(calls.delete_path("tasks", task_id))

    async def execute(self, runs: Sequence[Item], *, deadline_ms: int = 60_000) -> list[Json]:
        """Run programs in the sandbox; one result each, in order."""
        answer = await self._send(calls.execute(runs, deadline_ms, self._options.grace_s))
        results: list[Json] = answer["results"]
        return results

    async def verifiers(self) -> list[Json]:
        """The rules that the service knows, with the JSON Schema of their parameters."""
        listed: list[Json] = (await self._send(calls.listing("/v1/verifiers")))["verifiers"]
        return listed

    async def aclose(self) -> None:
        """Close this loop's connections; a later call opens others."""
        connected = self._pools.get(asyncio.get_running_loop())
        if connected is not None:
            await connected.keeper.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __getstate__(self) -> calls.Options:
        return self._options

    def __setstate__(self, options: calls.Options) -> None:
        self._options = options
        self._pools = WeakKeyDictionary()
        self._windows = WeakKeyDictionary()

    async def _pool(self) -> httpx.AsyncClient:
        """The running loop's connections: httpx's cannot be shared by two loops."""
        loop = asyncio.get_running_loop()
        connected = self._pools.get(loop)
        if connected is None:
            pool = httpx.AsyncClient(**self._options.pool_arguments())
            connected = self._pools[loop] = _Connected(pool, self._keep(pool))
            await anext(connected.keeper)
        return connected.pool

    async def _keep(self, pool: httpx.AsyncClient) -> AsyncGenerator[None, None]:
        """Close `pool` with its loop, if nobody does before: a loop that ends finishes its
        asynchronous generators, so one that waits is told of the end."""
        try:
            yield
        finally:
            self._pools.pop(asyncio.get_running_loop(), None)
            await pool.aclose()

    async def _send(self, call: Call[T]) -> T:
        return call.read(await self._deliver(call))

    async def _deliver(self, call: Call[T]) -> bytes:
        tries = Tries(self._options.retries, call.total_s)
        while True:
            try:
                response = await self._attempt(call, tries.left_s)
            except (httpx.TransportError, TimeoutError) as error:
                pause = tries.after_loss(error)
            else:
                wait = tries.after(response, response.content)
                if wait is None:
                    return response.content
                pause = wait
            await asyncio.sleep(pause)

    async def _attempt(self, call: Call[T], left_s: float) -> httpx.Response:
        async with asyncio.timeout(left_s):  # httpx limits each read, not their sum
            pool = await self._pool()
            return await pool.request(**call.arguments(), timeout=self._options.timeout(left_s))

    async def _send_singles(self, items: Sequence[Item], deadline_ms: int) -> list[Outcome]:
        try:
            answer = await self.score(calls.numbered(items), deadline_ms=deadline_ms)
        except BadRequest as error:
            parts = [self._send_singles(part, deadline_ms) for part in calls.halves(items, error)]
            if not parts:
                return [error] * len(items)
            return [outcome for part in await asyncio.gather(*parts) for outcome in part]
        except RewardClientError as error:
            return [error] * len(items)
        return [calls.returned(*pair) for pair in zip(answer["results"], items, strict=True)]

    async def _delete(self, path: str) -> None:
        try:
            await self._deliver(Call("DELETE", path, JSON_OBJECT))
        except BadRequest as error:
            if error.status != 404:
                raise


@dataclass(frozen=True, slots=True)
class _Connected:
    """One loop's connections, and what closes them."""

    pool: httpx.AsyncClient
    keeper: AsyncGenerator[None, None]
