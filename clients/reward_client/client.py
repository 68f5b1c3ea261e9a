"""The client for threads: a batch in, rewards with reasons out."""

import contextlib
import os
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from reward_client import calls
from reward_client.calls import Call, Item, Tasks
from reward_client.errors import BadRequest, RewardClientError, Unreachable, refusal
from reward_client.retries import Retries, Tries
from reward_client.windows import Outcome, ThreadWindow
from reward_client.wire import JSON_OBJECT, RESULT, Json, Result, Rewards

T = TypeVar("T")


class RewardClient:
    """Talks to the service at `url`, or at RULEGRADE_URL.

    May be shared by threads, pickled, and used after a fork: every process has its own
    connections. Methods raise RewardServiceError when the whole request was refused and
    Unreachable when no answer came in time; both only after the retries.
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
        self._set_up()

    def _set_up(self) -> None:
        self._pools: dict[int, httpx.Client] = {}
        self._windows: dict[int, ThreadWindow] = {}
        weakref.finalize(self, _close, self._pools)

    def score(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> Rewards:
        """Score a batch and wait; the answer of `POST /v1/rewards` as it came.

        A null reward in it means that the service failed on that item: mask it, never take it
        for 0.
        """
        return self._send(calls.score(items, tasks, deadline_ms, self._options.grace_s))

    def score_one(self, item: Item, *, deadline_ms: int = 60_000) -> Result:
        """Score one item; calls of other threads within some milliseconds share the request."""
        window = self._windows.get(os.getpid()) or self._windows.setdefault(
            os.getpid(), ThreadWindow(self._options, self._send_singles)
        )
        return window.score(item, deadline_ms)

    def score_stream(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> Generator[Result, None, None]:
        """Results as items finish, in no set order; the rest is cancelled when iteration stops."""
        batch_id = self.submit(items, tasks=tasks, deadline_ms=deadline_ms)
        missing = len(items)
        total_s = deadline_ms / 1000 + self._options.grace_s
        try:
            for result in self.results(batch_id, total_s=total_s):
                missing -= 1
                yield result
            if missing:
                raise Unreachable(f"the batch ended without {missing} of its results")
        finally:
            if missing:
                with contextlib.suppress(RewardClientError):  # why it ended is told already
                    self.cancel(batch_id)

    def submit(
        self, items: Sequence[Item], *, tasks: Tasks | None = None, deadline_ms: int = 60_000
    ) -> str:
        """Hand a batch over without waiting for its rewards; its id."""
        return str(self._send(calls.submit(items, tasks, deadline_ms))["batch_id"])

    def poll(self, batch_id: str, *, wait_s: float = 0.0) -> Json:
        """State of a batch, asked for up to `wait_s` seconds until it is done."""
        return self._send(calls.poll(batch_id, wait_s))

    def results(self, batch_id: str, *, total_s: float = 600.0) -> Iterator[Result]:
        """The results of a submitted batch, as items finish."""
        call = calls.results(batch_id, total_s)
        due = time.monotonic() + total_s
        timeout = self._options.timeout(total_s)
        try:
            with self._pool().stream(**call.arguments(), timeout=timeout) as response:
                if response.is_error:
                    raise refusal(response.status_code, response.reason_phrase, response.read())
                for line in response.iter_lines():
                    if time.monotonic() > due:
                        raise Unreachable(f"not all results came within {total_s:g} s")
                    yield RESULT.validate_json(line)
        except httpx.TransportError as error:
            raise Unreachable(f"the results broke off: {error!r}") from error

    def cancel(self, batch_id: str) -> None:
        """Give up a submitted batch; one that is gone is none the worse."""
        self._delete(calls.delete_path("batches", batch_id))

    def check_tasks(self, tasks: Tasks, *, deadline_ms: int = 60_000) -> Json:
        """Which tasks no completion could be scored for; to be asked before training."""
        return self._send(calls.check_tasks(tasks, deadline_ms, self._options.grace_s))

    def put_task(self, task_id: str, task: Item) -> Json:
        """Store a task, whose `task_id` items may then name in later calls."""
        return self._send(calls.put_task(task_id, task))

    def get_task(self, task_id: str) -> Json:
        """A stored task."""
        return self._send(calls.get_task(task_id))

    def delete_task(self, task_id: str) -> None:
        """Forget a stored task."""
        self._delete(calls.delete_path("tasks", task_id))

    def execute(self, runs: Sequence[Item], *, deadline_ms: int = 60_000) -> list[Json]:
        """Run programs in the sandbox; one result each, in order."""
        results: list[Json] = self._send(calls.execute(runs, deadline_ms, self._options.grace_s))[
            "results"
        ]
        return results

    def verifiers(self) -> list[Json]:
        """The rules that the service knows, with the JSON Schema of their parameters."""
        listed: list[Json] = self._send(calls.listing("/v1/verifiers"))["verifiers"]
        return listed

    def close(self) -> None:
        """Close this process's connections; a later call opens others."""
        _close(self._pools)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> calls.Options:
        return self._options

    def __setstate__(self, options: calls.Options) -> None:
        self._options = options
        self._set_up()

    def _pool(self) -> httpx.Client:
        """This process's connections; those of the process that it was forked from are not ours."""
        pid = os.getpid()
        pool = self._pools.get(pid)
        if pool is None:
            made = httpx.Client(**self._options.pool_arguments())
            pool = self._pools.setdefault(pid, made)  # atomic: a lock might be held at a fork
            if pool is not made:
                made.close()
        return pool

    def _send(self, call: Call[T]) -> T:
        return call.read(self._deliver(call))

    def _deliver(self, call: Call[T]) -> bytes:
        tries = Tries(self._options.retries, call.total_s)
        while True:
            try:
                response, body = self._attempt(call, tries.left_s)
            except (httpx.TransportError, TimeoutError) as error:
                pause = tries.after_loss(error)
            else:
                wait = tries.after(response, body)
                if wait is None:
                    return body
                pause = wait
            time.sleep(pause)

    def _attempt(self, call: Call[T], left_s: float) -> tuple[httpx.Response, bytes]:
        due = time.monotonic() + left_s
        body = bytearray()
        timeout = self._options.timeout(left_s)
        with self._pool().stream(**call.arguments(), timeout=timeout) as response:
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > due:  # httpx limits each read, not their sum
                    raise TimeoutError(f"the answer took longer than {left_s:g} s")
        return response, bytes(body)

    def _send_singles(self, items: Sequence[Item], deadline_ms: int) -> list[Outcome]:
        try:
            answer = self.score(calls.numbered(items), deadline_ms=deadline_ms)
        except BadRequest as error:
            parts = calls.halves(items, error)
            if not parts:
                return [error] * len(items)
            return [out for part in parts for out in self._send_singles(part, deadline_ms)]
        except RewardClientError as error:
            return [error] * len(items)
        return [calls.returned(*pair) for pair in zip(answer["results"], items, strict=True)]

    def _delete(self, path: str) -> None:
        try:
            self._deliver(Call("DELETE", path, JSON_OBJECT))
        except BadRequest as error:
            if error.status != 404:
                raise


def _close(pools: dict[int, httpx.Client]) -> None:
    """Close this process's connections, and none that it shares with the one it was forked from."""
    pool = pools.pop(os.getpid(), None)
    if pool is not None:
        pool.close()
