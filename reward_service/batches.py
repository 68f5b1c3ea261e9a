"""
Batches that are accepted now and fetched later.

A batch is kept as it came; its results are appended as they become final. One process at a time
works on it, under a lease: in a shared store a batch whose process was killed is taken up by another
one, which asks only for the items that have no result. Should two ever write, the first result of
an item counts.
"""

import asyncio
import json
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Protocol
from uuid import uuid4

import structlog

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
    """Unix seconds, since another machine may go on with it."""
    status: BatchState = "running"
    answered: Counter[str] = field(default_factory=Counter)
    message: str | None = None

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, data: bytes) -> "_State":
        read = json.loads(data)
        return cls(**{**read, "answered": Counter(read["answered"])})


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
        state = _State(key, len(batch.items), time.time())
        request = zlib.compress(batch.model_dump_json(exclude_unset=True).encode(), 1)
        entries = {_request(batch_id): request, _state(batch_id): state.dump()}
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
            lines = await self._store.lines(_results(batch_id), start, READ_LINES)
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
            state.status = "cancelled"
            await self._end(batch_id, state)
            if (task := self._tasks.get(batch_id)) is not None:
                task.cancel()
        return _status(batch_id, state)

    async def _load(self, batch_id: str, key: str | None) -> _State | None:
        data = (await self._store.get_many([_state(batch_id)])).get(_state(batch_id))
        state = None if data is None else _State.load(data)
        return state if state is not None and key in (None, state.key) else None

    async def _work(self, batch_id: str) -> None:
        try:
            if await self._store.claim(_lease(batch_id), b"1", kept_s=LEASE_S):
                try:
                    await self._go_on(batch_id)
                finally:
                    await self._store.delete(_lease(batch_id))
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling() and batch_id not in self._tasks:  # type: ignore[union-attr]
                raise
        except (InfraError, Overloaded) as error:
            log.warning("batch_interrupted", batch_id=batch_id, reason=str(error))
        finally:
            self._tasks.pop(batch_id, None)
