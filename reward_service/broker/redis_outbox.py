"""
The asking half of the Redis queue: jobs out, results in.

What waits, waits here, in turns; Redis holds only what the workers can soon take, so that fairness
and bounds are the same as in memory, and a caller who leaves takes his work along. Every job is
kept until it is answered: when Redis has lost what it knew, the jobs are put again. A job that is
done twice is harmless, because the first result for an index wins.
"""

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic
from uuid import uuid4

import structlog
from pydantic_core import to_json
from redis.asyncio import Redis
from redis.exceptions import RedisError

from reward_service.broker.base import Caller, Codec, Depth, Job, P, R, Reply
from reward_service.broker.redis_connection import (
    AWAY,
    BLOCK_MS,
    BLOCKED_TIMEOUT_S,
    Keys,
    call,
    call_all,
    pairs,
    pause,
)
from reward_service.broker.redis_members import Member, read_members
from reward_service.broker.turns import Submission, Turns
from reward_service.errors import BrokerError, Overloaded
from reward_service.telemetry import UNWANTED, WORKERS

BEAT_S = 1.0
REPLIES_KEPT_S = 120
TEXT_MARGIN_S = 120
TEXTS_REMEMBERED = 4_096
PUT_JOBS = 64
PUT_BYTES = 1_048_576
SPARE_JOBS = 8
"""Jobs of a kind in Redis beyond two for each one that the workers can have in hand."""
READ_REPLIES = 256
FULL_SHARE = 0.9
"""Of Redis's memory, from which nothing is taken in, so that results still have room."""

log = structlog.stdlib.get_logger("reward_service.broker")


@dataclass(slots=True, eq=False)
class _Sent(Generic[P, R]):
    """A job on its way, until its last result is in or nobody wants them."""

    job: Job[P]
    submission: Submission[P, R]
    left: int
    entry: bytes | None = None
    is_gone: bool = False


class Outbox(Generic[P, R]):
    """Puts jobs into Redis and passes results back. `run` must run."""

    def __init__(
        self, client: "Redis", blocking: "Redis", keys: Keys, codec: Codec[P, R], turns: Turns[P, R]
    ) -> None:
        self._client = client
        self._blocking = blocking
        self._keys = keys
        self._codec = codec
        self._turns = turns
        self.replica = uuid4().hex
        self.members: Sequence[Member] = ()
        """Workers that were alive a moment ago."""
        self.is_away = False
        """Redis did not answer the last time it was asked."""
        self._is_full = False
        self._server = ""
        self._kinds: set[str] = set()
        self._sent: dict[str, _Sent[P, R]] = {}
        self._in_hand: Counter[str] = Counter()
        self._unput: deque[_Sent[P, R]] = deque()
        self._gone: list[_Sent[P, R]] = []
        self._texts: OrderedDict[str, float] = OrderedDict()
        self._wake = asyncio.Event()
        self._last = b"0"

    @asynccontextmanager
    async def submit(
        self, jobs: Sequence[Job[P]], caller: Caller
    ) -> AsyncIterator[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none."""
        if self.is_away and jobs:
            raise BrokerError("Redis is out of reach")
        if self._is_full and jobs:
            raise Overloaded("the memory of Redis is full", retry_after_s=5.0)
        submission = self._turns.admit(jobs, caller)
        self._wake.set()
        try:
            yield submission.replies()
        finally:
            self._turns.drop(submission)
            self._withdraw(submission, jobs)

    def depth(self) -> Depth:
        """What waits in this process."""
        return self._turns.depth()

    async def run(self) -> None:
        """Serve until cancelled; Redis may come and go."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_for_ever())
            group.create_task(self._put_for_ever())
            group.create_task(self._listen_for_ever())

    # jobs out

    async def _put_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while True:
                self._take()
                if not self._unput and not self._gone:
                    break
                if not await self._put():
                    await pause()

    def _take(self) -> None:
        """Move jobs from the waiting room into the window of their kind."""
        for kind in self._turns.kinds():
            while self._in_hand[kind] < self._window(kind):
                if (found := self._turns.next(kind)) is None:
                    break
                job, submission = found
                sent = _Sent(job, submission, left=job.items)
                self._sent[job.id] = sent
                self._in_hand[kind] += 1
                self._unput.append(sent)

    def _window(self, kind: str) -> int:
        return SPARE_JOBS + 2 * sum(member.capacity.get(kind, 0) for member in self.members)

    async def _put(self) -> bool:
        """Send what is due in one round trip; False when Redis did not take all of it."""
        puts = list(self._due())
        gone, self._gone = self._gone, []
        commands: list[list[Any]] = []
        for sent in puts:
            commands += self._commands(sent)
        tokens = []
        for sent in gone:
            if sent.entry:
                commands.append(["XDEL", self._keys.queue(sent.job.kind), sent.entry])
                tokens.append(f"{sent.job.kind}:{sent.entry.decode()}")
        if tokens:
            commands.append(["PUBLISH", self._keys.cancelled, " ".join(tokens)])
        try:
            answers = await call_all(self._client, commands, is_atomic=False)
        except AWAY:
            self.is_away = True
            self._unput.extendleft(reversed(puts))
            self._gone += gone
            return False
        answered = iter(a for c, a in zip(commands, answers, strict=True) if c[0] == "XADD")
        return all([self._note_put(sent, next(answered)) for sent in puts])

    def _due(self) -> Iterator[_Sent[P, R]]:
        size = 0
        jobs = 0
        while self._unput and jobs < PUT_JOBS and size < PUT_BYTES:
            sent = self._unput.popleft()
            if not sent.is_gone:
                jobs += 1
                size += sent.job.size
                yield sent

    def _commands(self, sent: _Sent[P, R]) -> Iterator[list[Any]]:
        job = sent.job
        now = time.monotonic()
        payload, shared = self._codec.dump_payload(job.payload)
        left_ms = max(1, int((job.deadline - now) * 1000))
        for digest, text in shared.items():
            if self._texts.get(digest, 0) < job.deadline:
                until = job.deadline + TEXT_MARGIN_S
                key = self._keys.text(digest)
                yield ["SET", key, text, "PX", left_ms + 2 * TEXT_MARGIN_S * 1000]
                self._remember(digest, until)
        yield [
            *("XADD", self._keys.queue(job.kind), "*"),
            *("job", job.id, "first", 0, "items", job.items, "replica", self.replica),
            *("left_ms", left_ms, "age_ms", int((now - job.created) * 1000)),
            *("origins", to_json(job.origins), "trace", job.trace),
            *("texts", " ".join(shared), "payload", payload),
        ]

    def _remember(self, digest: str, until: float) -> None:
        self._texts[digest] = until
        self._texts.move_to_end(digest)
        if len(self._texts) > TEXTS_REMEMBERED:
            self._texts.popitem(last=False)

    def _note_put(self, sent: _Sent[P, R], answer: Any) -> bool:
        if isinstance(answer, RedisError):  # most likely out of memory; others' jobs will end
            error = type(answer).__name__
            log.warning("job_not_put", error=error, **sent.job.named())
            self._texts.clear()
            self._unput.append(sent)
            return False
        sent.entry = answer
        if sent.is_gone:
            self._gone.append(sent)
        return True

    def _withdraw(self, submission: Submission[P, R], jobs: Sequence[Job[P]]) -> None:
        for job in jobs:
            sent = self._sent.get(job.id)
            if sent is not None and sent.submission is submission:
                self._forget(sent)
                sent.is_gone = True
                self._gone.append(sent)
        self._wake.set()

    def _forget(self, sent: _Sent[P, R]) -> None:
        del self._sent[sent.job.id]
        self._in_hand[sent.job.kind] -= 1

    # results in

    async def _listen_for_ever(self) -> None:
        key = self._keys.replies(self.replica)
        while True:
            try:
                found = await call(
                    self._blocking,
                    *("XREAD", "COUNT", READ_REPLIES, "BLOCK", BLOCK_MS, "STREAMS", key),
                    self._last,
                    within_s=BLOCKED_TIMEOUT_S,
                )
                for _, entries in found or ():
                    for entry, fields in entries:
                        self._settle(pairs(fields))
                        self._last = entry
                    await call(self._client, "XTRIM", key, "MINID", self._last)
            except RedisError as error:
                if not isinstance(error, AWAY):
                    log.exception("replies_unreadable")
                await pause()

    def _settle(self, fields: Any) -> None:
        """Pass on the results that one entry holds; those nobody waits for are ignored."""
        results = {int(name): data for name, data in fields.items() if name.isdigit()}
        sent = self._sent.get(fields.get(b"job", b"").decode())
        if sent is None:
            UNWANTED.inc(len(results))
            return
        for index, data in results.items():
            reply = Reply(sent.job.id, index, self._codec.load_result(data))
            is_first = sent.submission.answer(reply)
            sent.left -= is_first
            UNWANTED.inc(not is_first)
        if not sent.left:
            self._forget(sent)
            self._wake.set()

    # signs of life

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                await self.beat()
                self.is_away = False
            except AWAY:
                if not self.is_away:
                    log.warning("redis_away")
                self.is_away = True
            except RedisError:
                log.exception("beat_failed")
            await asyncio.sleep(BEAT_S)

    async def beat(self) -> None:
        """Keep the stream of results, look for workers, and see whether Redis is still the same."""
        key = self._keys.replies(self.replica)
        info = await call(self._client, "INFO", "everything")
        is_kept = await call(self._client, "EXPIRE", key, REPLIES_KEPT_S)
        if not is_kept:
            await call(self._client, "XADD", key, "*", "made", 1)
            await call(self._client, "EXPIRE", key, REPLIES_KEPT_S)
        self.members = await read_members(self._client, self._keys)
        joined = Counter(kind for member in self.members for kind in member.capacity)
        self._kinds |= joined.keys()
        for kind in self._kinds:
            WORKERS.labels(kind).set(joined[kind])
        limit = int(info.get("maxmemory", 0))
        self._is_full = limit > 0 and int(info["used_memory"]) > FULL_SHARE * limit
        is_known = self._server == info["run_id"]
        if self._server and not (is_known and is_kept):
            self._put_again(is_lost=not is_kept)
        self._server = info["run_id"]
        self._wake.set()

    def _put_again(self, *, is_lost: bool) -> None:
        """Redis has started anew, and what it was told last may be gone."""
        log.warning("redis_restarted", jobs=len(self._sent), replies_lost=is_lost)
        if is_lost:
            self._last = b"0"
        self._texts.clear()
        waiting = set(map(id, self._unput))
        self._unput.extend(sent for sent in self._sent.values() if id(sent) not in waiting)
