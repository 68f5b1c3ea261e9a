"""
Batches that are accepted now and fetched later.

A batch is kept as it came; its results are appended as they become final. One process at a time
works on it, under a lease: in a shared store a batch whose process was killed is taken up by
another, which asks only for the items that have no result. Should two ever write, the first result
of an item counts.
"""

import asyncio
import json
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol
from uuid import uuid4

import structlog
from structlog.contextvars import bind_contextvars

from reward_service import tracing
from reward_service.batch_schemas import BatchState, BatchStatus
from reward_service.errors import BadTask, InfraError, Overloaded
from reward_service.schemas import Result, RewardRequest, RewardResponse
from reward_service.store.base import Store

LEASE_S = 10.0
LOOK_S = 2.0
"""Between two looks for batches that nobody works on."""
POLL_S = 0.1
FLUSH_S = 0.05
READ_LINES = 256
OPEN = "batches"

log = structlog.stdlib.get_logger("reward_service.batches")


class Score(Protocol):
    """How a batch is scored; see `Engine.score`."""

    def __call__(
        self,
        batch: RewardRequest,
        *,
        received: float,
        key: str,
        on_result: Callable[[Result], None],
    ) -> Awaitable[RewardResponse]:
        """Call `on_result` with each result; raises BadTask, Overloaded and InfraError."""
        ...


@dataclass(slots=True)
class _State:
    """What is kept of a batch beside its request and its results."""

    key: str
    count: int
    created: float
    """On the store's clock, since another machine may go on with it."""
    status: BatchState = "running"
    answered: dict[str, int] = field(default_factory=dict)
    """How many results there are, by status."""
    message: str | None = None
    trace: str = ""
    """The W3C `traceparent` of the request that brought it; empty where nothing is traced."""

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, data: bytes) -> "_State":
        return cls(**json.loads(data))


class Batches:
    """The batches in `store`, each seen only by the key that sent it. `run` must run."""

    def __init__(self, store: Store, score: Score, *, kept_s: int) -> None:
        self._store = store
        self._score = score
        self._kept_s = kept_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work on what is accepted here, and on what others left, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    for batch_id in await self._store.members(OPEN):
                        if batch_id not in self._tasks:
                            self._tasks[batch_id] = group.create_task(self._work(batch_id))
                except InfraError as error:
                    log.warning("batches_not_seen", reason=str(error))
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    async def accept(self, batch: RewardRequest, *, key: str) -> BatchStatus:
        """Keep a batch and work on it from now on."""
        batch_id = uuid4().hex
        state = _State(
            key, len(batch.items), await self._store.now_s(), trace=tracing.traceparent()
        )
        request = zlib.compress(batch.model_dump_json(exclude_unset=True).encode(), 1)
        entries = {_entry(batch_id, "request"): request, _entry(batch_id, "state"): state.dump()}
        await self._store.put_many(entries, kept_s=self._kept_s)
        await self._store.join(OPEN, batch_id)
        self._wake.set()
        return _status(batch_id, state)

    async def status(self, batch_id: str, *, key: str, wait_s: float = 0.0) -> BatchStatus | None:
        """How far it is, at the latest after `wait_s`; at once when it is over. None: no such."""
        deadline = time.monotonic() + wait_s
        while (state := await self._load(batch_id, key)) is not None:
            if state.status != "running" or time.monotonic() >= deadline:
                return _status(batch_id, state)
            await asyncio.sleep(POLL_S)
        return None

    async def results(self, batch_id: str, *, key: str) -> AsyncIterator[bytes]:
        """Results as lines of JSON, each item's once, as they become final, until it is over."""
        seen: set[int] = set()
        start = 0
        while (state := await self._load(batch_id, key)) is not None:
            lines = await self._store.lines(_entry(batch_id, "results"), start, READ_LINES)
            start += len(lines)
            for line in lines:
                index = _index(line)
                if index not in seen:
                    seen.add(index)
                    yield line + b"\n"
            if not lines and state.status != "running":
                return
            if not lines:
                await asyncio.sleep(POLL_S)

    async def cancel(self, batch_id: str, *, key: str) -> BatchStatus | None:
        """Stop working on it; what is answered stays. None: no such batch."""
        if (state := await self._load(batch_id, key)) is None:
            return None
        if state.status == "running":
            await self._store.claim(_entry(batch_id, "stop"), b"1", kept_s=self._kept_s)
            if (task := self._tasks.get(batch_id)) is not None:
                task.cancel()
            state = await self._load(batch_id, key) or state
        return _status(batch_id, state)

    async def _load(self, batch_id: str, key: str | None) -> _State | None:
        names = [_entry(batch_id, "state"), _entry(batch_id, "stop")]
        found = await self._store.get_many(names)
        if names[0] not in found:
            return None
        state = _State.load(found[names[0]])
        if names[1] in found and state.status == "running":
            state.status = "cancelled"
        return state if key in (None, state.key) else None

    async def _work(self, batch_id: str) -> None:
        try:
            if await self._store.claim(_entry(batch_id, "lease"), b"1", kept_s=LEASE_S):
                try:
                    await self._go_on(batch_id)
                finally:
                    await self._store.delete(_entry(batch_id, "lease"))
        except (InfraError, Overloaded) as error:  # somebody takes it up in a moment
            log.warning("batch_interrupted", batch_id=batch_id, reason=str(error))
        finally:
            del self._tasks[batch_id]

    async def _go_on(self, batch_id: str) -> None:
        """Ask for what has no result yet, and end the batch."""
        found = await self._store.get_many([_entry(batch_id, "request")])
        state = await self._load(batch_id, None)
        if state is None or not found or state.status != "running":
            await self._store.part(OPEN, batch_id)
            return
        batch = RewardRequest.model_validate_json(
            zlib.decompress(found[_entry(batch_id, "request")])
        )
        answered = await self._answered(batch_id)
        state.answered = dict(Counter(answered.values()))
        rest = [index for index in range(state.count) if index not in answered]
        age_s = await self._store.now_s() - state.created
        bind_contextvars(batch_id=batch_id, request_id=batch.request_id)
        if rest and age_s > batch.deadline_ms / 1000 + LEASE_S:
            state.status, state.message = "failed", "the queue did not take it before its deadline"
        elif rest:
            items = [batch.items[index] for index in rest]
            asked = batch.model_copy(update={"items": items})
            with tracing.span("score batch", state.trace, batch_id=batch_id):
                await self._score_rest(batch_id, state, asked, rest, time.monotonic() - age_s)
        if state.status == "running":
            state.status = "done"
        await self._store.put_many({_entry(batch_id, "state"): state.dump()}, kept_s=self._kept_s)
        await self._store.part(OPEN, batch_id)

    async def _score_rest(
        self,
        batch_id: str,
        state: _State,
        batch: RewardRequest,
        places: Sequence[int],
        received: float,
    ) -> None:
        fresh: asyncio.Queue[Result] = asyncio.Queue()
        scoring = asyncio.ensure_future(
            self._score(batch, received=received, key=state.key, on_result=fresh.put_nowait)
        )
        renewed = time.monotonic()
        try:
            while not (scoring.done() and fresh.empty()):
                await self._write(batch_id, state, fresh, places)
                await asyncio.wait((scoring,), timeout=FLUSH_S)
                if time.monotonic() - renewed > LEASE_S / 10:
                    renewed = time.monotonic()
                    await self._store.renew(_entry(batch_id, "lease"), kept_s=LEASE_S)
                    if await self._store.get_many([_entry(batch_id, "stop")]):
                        state.status = "cancelled"
                        return
            await scoring
        except BadTask as error:  # it was fit when it was accepted; the sandbox is another one now
            state.status, state.message = "failed", str(error)
        finally:
            scoring.cancel()
            await asyncio.gather(scoring, return_exceptions=True)

    async def _write(
        self, batch_id: str, state: _State, fresh: "asyncio.Queue[Result]", places: Sequence[int]
    ) -> None:
        lines = []
        while not fresh.empty():
            result = fresh.get_nowait()
            state.answered[result.status] = state.answered.get(result.status, 0) + 1
            placed = result.model_copy(update={"index": places[result.index]})
            lines.append(placed.model_dump_json().encode())
        if lines:
            await self._store.append(_entry(batch_id, "results"), lines, kept_s=self._kept_s)
            await self._store.put_many(
                {_entry(batch_id, "state"): state.dump()}, kept_s=self._kept_s
            )

    async def _answered(self, batch_id: str) -> dict[int, str]:
        """Statuses by index of what was answered before this process took the batch up."""
        answered: dict[int, str] = {}
        start = 0
        while lines := await self._store.lines(_entry(batch_id, "results"), start, READ_LINES):
            start += len(lines)
            for line in lines:
                read = json.loads(line)
                answered.setdefault(read["index"], read["status"])
        return answered


def _status(batch_id: str, state: _State) -> BatchStatus:
    return BatchStatus(
        batch_id=batch_id,
        status=state.status,
        count=state.count,
        answered=sum(state.answered.values()),
        scored=state.answered.get("scored", 0),
        errors=state.answered.get("error", 0),
        skipped=state.answered.get("skipped", 0),
        message=state.message,
    )


def _index(line: bytes) -> int:
    return int(json.loads(line)["index"])


def _entry(batch_id: str, part: str) -> str:
    return f"batch:{batch_id}:{part}"
