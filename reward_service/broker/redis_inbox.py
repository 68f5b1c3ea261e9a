"""
The working half of the Redis queue: leases in, results out.

A lease is an entry that Redis holds as pending for this worker. It is renewed while the work goes
on; when a worker dies, another claims what it held. A chunk that comes back is cut into single
parts, so that one part that kills workers is given up alone, and after three deliveries it is.
"""

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic

import structlog
from pydantic_core import from_json, to_json
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from reward_service.broker.base import Codec, Job, Lease, P, R
from reward_service.broker.redis_connection import (
    AWAY,
    BLOCK_MS,
    BLOCKED_TIMEOUT_S,
    Keys,
    call,
    call_all,
    pairs,
    pause,
    server_time_s,
)
from reward_service.broker.redis_held import GROUP, Held, reply_to, settle
from reward_service.broker.redis_members import Member, announce, withdraw
from reward_service.broker.redis_suspects import Suspects
from reward_service.broker.redis_texts import SharedTexts
from reward_service.telemetry import GIVEN_UP, REDELIVERED

MAX_DELIVERIES = 3
DEAD_KEPT = 1_000
LATE_S = 60.0
"""How long after a job's deadline its results are still tried to be handed in."""

log = structlog.stdlib.get_logger("reward_service.broker")
_Entry = tuple[bytes, Mapping[bytes, bytes]]


class Inbox(Generic[P, R]):
    """Takes jobs from Redis and hands in their results. `run` must run."""

    def __init__(
        self,
        client: "Redis",
        blocking: "Redis",
        keys: Keys,
        codec: Codec[P, R],
        *,
        member: Member,
        lease_s: float,
    ) -> None:
        self._client = client
        self._blocking = blocking
        self._keys = keys
        self._codec = codec
        self._name = member.name
        self.member = member
        """What is announced; replace it when it changes."""
        self._lease_s = lease_s
        self.is_away = False
        """Redis did not answer the last time that leases were to be renewed."""
        self._is_open = True
        self._served: set[str] = set()
        self._clock_offset_s = 0.0
        self._held: dict[str, Held[P]] = {}
        self._reclaimed: defaultdict[str, deque[_Entry]] = defaultdict(deque)
        self._results: dict[str, dict[int, bytes]] = {}
        self._finished: set[str] = set()
        self._texts = SharedTexts(client, keys)
        self._wake = asyncio.Event()
        self._suspects = Suspects()

    async def start(self) -> None:
        """Join the queue. RedisError when it is out of reach."""
        await self._set_clock()
        for kind in self.member.capacity:
            await self._make_group(kind)
        await announce(self._client, self._keys, self.member)

    async def run(self) -> None:
        """Serve until cancelled; Redis may come and go."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_in_for_ever())
            group.create_task(self._keep_for_ever())
            group.create_task(self._heed_for_ever())

    async def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind; a job is taken when the caller asks for it."""
        self._served.add(kind)
        try:
            while self._is_open:
                reclaimed = self._reclaimed[kind]
                found = reclaimed.popleft() if reclaimed else await self._read(kind)
                held = None if found is None else await self._hold(kind, found)
                if held is not None and await self._has_turn(kind, held):
                    yield held.lease
        finally:
            self._served.discard(kind)

    def stop_leasing(self) -> None:
        """End every `leases` within a second."""
        self._is_open = False

    def reply(self, lease: Lease[P], index: int, result: R) -> None:
        """Hand in one result."""
        results = self._results.setdefault(lease.token, {})
        results.setdefault(index, self._codec.dump_result(result))
        self._wake.set()

    def finish(self, lease: Lease[P]) -> None:
        """Give the lease back."""
        self._suspects.leave(lease.token)
        self._finished.add(lease.token)
        self._wake.set()

    async def leave(self, *, within_s: float) -> None:
        """Hand in what is left and withdraw; what is still held goes to others after its lease."""
        try:
            async with asyncio.timeout(within_s):
                while self._results or self._finished:
                    await self._hand_in()
                await withdraw(self._client, self._keys, self._name)
                for kind in self.member.capacity:
                    await self._forget_consumers(kind)
        except (TimeoutError, RedisError):
            log.warning("left_without_goodbye", held=len(self._held))

    # leases in

    async def _read(self, kind: str) -> _Entry | None:
        key = self._keys.queue(kind)
        try:
            found = await call(
                self._blocking,
                *("XREADGROUP", "GROUP", GROUP, self._name, "COUNT", 1, "BLOCK", BLOCK_MS),
                *("STREAMS", key, ">"),
                within_s=BLOCKED_TIMEOUT_S,
            )
        except AWAY:
            await pause()
            return None
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group(kind)
            return None
        if not found:
            return None
        ((_, ((entry, fields),)),) = found
        return entry, pairs(fields)

    async def _hold(self, kind: str, found: _Entry) -> Held[P] | None:
        """Make a lease of an entry; None if its job has expired or cannot be read."""
        entry, fields = found
        token = f"{kind}:{entry.decode()}"
        job = self._job(kind, found)
        held = Held(
            kind, entry, fields[b"replica"].decode(), int(fields[b"first"]), Lease(job, token)
        )
        self._held[token] = held
        if job.deadline <= time.monotonic():
            self.finish(held.lease)
            return None
        try:
            texts = await self._texts.get(fields[b"texts"].decode().split())
            job.payload.extend(self._codec.load_payload(fields[b"payload"], texts))
        except (ValueError, KeyError) as error:
            message = f"a worker could not read the job: {type(error).__name__}"
            await self._give_up(held, fields, "payload_lost", message)
            return None
        except AWAY:
            del self._held[token]  # comes back after its lease
            return None
        return held

    def _job(self, kind: str, found: _Entry) -> Job[P]:
        """The job of an entry, without its payload."""
        entry, fields = found
        taken_s = int(entry.partition(b"-")[0]) / 1000 - self._clock_offset_s
        return Job(
            id=fields[b"job"].decode(),
            kind=kind,
            payload=[],
            size=len(fields[b"payload"]),
            deadline=taken_s + int(fields[b"left_ms"]) / 1000,
            created=taken_s - int(fields[b"age_ms"]) / 1000,
            origins=from_json(fields.get(b"origins", b"[]")),
            trace=fields.get(b"trace", b"").decode(),
        )

    async def _has_turn(self, kind: str, held: Held[P]) -> bool:
        """Wait for a lease's turn; False if Redis is away, and the lease comes back later."""
        token = held.lease.token
        await self._suspects.turn(token)
        try:
            if token in self._suspects:
                await self._set_deliveries(kind, held.entry, MAX_DELIVERIES)
        except AWAY:
            self._suspects.leave(token)
            self._held.pop(token, None)
            return False
        return True

    async def _set_deliveries(self, kind: str, entry: bytes, count: int) -> None:
        """Say how often an entry was worked on: waiting for its turn is no try."""
        words = (self._keys.queue(kind), GROUP, self._name, 0, entry, "RETRYCOUNT", count, "JUSTID")
        await call(self._client, "XCLAIM", *words, parse_justid=True)

    # results out

    async def _hand_in_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._results or self._finished:
                try:
                    await self._hand_in()
                except RedisError as error:
                    if not isinstance(error, AWAY):
                        log.warning("results_refused", error=type(error).__name__)
                    self._drop_late()
                    await pause()

    async def _hand_in(self) -> None:
        """Results and ends of leases in one transaction: both or none."""
        results, self._results = self._results, {}
        finished, self._finished = self._finished, set()
        commands: list[list[Any]] = []
        for token, by_index in results.items():
            if (held := self._held.get(token)) is not None:
                commands.append(reply_to(self._keys, held, by_index))
        for token in finished:
            if (held := self._held.get(token)) is not None:
                commands += settle(self._keys, held)
        try:
            await call_all(self._client, commands, is_atomic=True)
        except (RedisError, asyncio.CancelledError):
            for token, by_index in results.items():
                self._results[token] = by_index | self._results.get(token, {})
            self._finished |= finished
            raise
        for token in finished:
            self._held.pop(token, None)

    def _drop_late(self) -> None:
        """Forget results so late that nobody can be waiting for them."""
        now = time.monotonic()
        for token, held in list(self._held.items()):
            if held.lease.job.deadline + LATE_S < now:
                self._results.pop(token, None)
                self._finished.discard(token)
                del self._held[token]

    async def _give_up(
        self, held: Held[P], fields: Mapping[bytes, bytes], code: str, message: str
    ) -> None:
        """Tell the caller that there will be no result, and keep the job for people to look at."""
        GIVEN_UP.labels(code).inc()
        log.error("job_given_up", code=code, reason=message, **held.lease.job.named())
        kept = [word for pair in fields.items() for word in pair]
        await call(
            self._client,
            "XADD",
            self._keys.dead,
            "MAXLEN",
            "~",
            DEAD_KEPT,
            "*",
            "code",
            code,
            *kept,
        )
        for index in range(int(fields[b"items"])):
            self.reply(held.lease, index, self._codec.given_up(code, message))
        self.finish(held.lease)

    # leases kept and taken over

    async def _keep_for_ever(self) -> None:
        while True:
            try:
                await self._set_clock()
                await announce(self._client, self._keys, self.member)
                for kind in self.member.capacity:
                    await self._renew(kind)
                    await self._reclaim(kind)
                self.is_away = False
            except AWAY:
                log.warning("redis_away")
                self.is_away = True
            except RedisError:
                log.exception("leases_not_kept")
            jitter = 0.75 + random.random() / 2  # noqa: S311 - spreads load, no secret
            await asyncio.sleep(self._lease_s / 4 * jitter)

    async def _renew(self, kind: str) -> None:
        """Renew what is held; what Redis no longer knows was withdrawn by its caller."""
        held = {one.entry: token for token, one in self._held.items() if one.kind == kind}
        entries = [*held, *(entry for entry, _ in self._reclaimed[kind])]
        if entries:
            words: list[str | bytes | int] = [self._keys.queue(kind), GROUP, self._name, 0]
            kept = await call(self._client, "XCLAIM", *words, *entries, "JUSTID", parse_justid=True)
            self._revoke([token for entry, token in held.items() if entry not in kept])

    async def _reclaim(self, kind: str) -> None:
        """Take over what others have held for longer than their lease."""
        if self._reclaimed[kind] or kind not in self._served:
            return
        key = self._keys.queue(kind)
        idle_ms = int(self._lease_s * 1000)
        words = (key, GROUP, self._name, idle_ms, "0-0", "COUNT", self.member.capacity[kind])
        try:
            _, found, *_ = await call(self._client, "XAUTOCLAIM", *words)
        except ResponseError:  # the stream has gone with its group
            await self._make_group(kind)
            return
        for entry, raw in found:
            if fields := pairs(raw):
                await self._judge(kind, (entry, fields))

    async def _judge(self, kind: str, found: _Entry) -> None:
        """What becomes of an entry whose worker has died: repeat it, cut it up, or give it up."""
        entry, fields = found
        key = self._keys.queue(kind)
        words = ("XPENDING", key, GROUP, entry, entry, 1)
        pending = await call(self._client, *words, parse_detail=True)
        deliveries = int(pending[0]["times_delivered"]) if pending else 1
        REDELIVERED.inc()
        log.warning("job_reclaimed", deliveries=deliveries, **self._job(kind, found).named())
        if deliveries > MAX_DELIVERIES:
            if (held := await self._hold(kind, found)) is not None:
                message = f"{MAX_DELIVERIES} workers died or stood still under this item"
                await self._give_up(held, fields, "poison", message)
            return
        held = await self._hold(kind, found)
        if held is None:
            return
        if held.lease.job.items > 1:
            await self._cut_up(held, fields)
        else:
            del self._held[held.lease.token]
            if deliveries == MAX_DELIVERIES:
                self._suspects.add(held.lease.token)
                await self._set_deliveries(kind, entry, MAX_DELIVERIES - 1)
            self._reclaimed[kind].append(found)

    async def _cut_up(self, held: Held[P], fields: Mapping[bytes, bytes]) -> None:
        job = held.lease.job
        key = self._keys.queue(held.kind)
        left_ms = max(1, int((job.deadline - time.monotonic()) * 1000))
        age_ms = int((time.monotonic() - job.created) * 1000)
        commands: list[list[Any]] = []
        for index, part in enumerate(job.payload):
            payload, shared = self._codec.dump_payload([part])
            commands.append(
                [
                    *("XADD", key, "*", "job", job.id, "first", held.first + index, "items", 1),
                    *("replica", fields[b"replica"], "left_ms", left_ms, "age_ms", age_ms),
                    *("origins", to_json([job.origins_of(index)]), "trace", job.trace),
                    *("texts", " ".join(shared), "payload", payload),
                ]
            )
        commands += settle(self._keys, held)
        await call_all(self._client, commands, is_atomic=True)
        self._held.pop(held.lease.token, None)

    # revoked leases

    async def _heed_for_ever(self) -> None:
        """Stop work at once whose caller has gone; what this misses, the next renewal finds."""
        while True:
            try:
                async with self._blocking.pubsub() as channel:
                    await channel.subscribe(self._keys.cancelled)
                    while True:
                        message = await channel.get_message(
                            ignore_subscribe_messages=True, timeout=BLOCK_MS / 1000
                        )
                        if message is not None:
                            self._revoke(message["data"].decode().split())
            except RedisError:
                await pause()

    def _revoke(self, tokens: list[str]) -> None:
        for token in tokens:
            held = self._held.get(token)
            if held is not None and held.lease.on_revoke is not None:
                held.lease.on_revoke()

    # odds and ends of membership

    async def _set_clock(self) -> None:
        self._clock_offset_s = await server_time_s(self._client) - time.monotonic()

    async def _make_group(self, kind: str) -> None:
        try:
            key = self._keys.queue(kind)
            await call(self._client, "XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _forget_consumers(self, kind: str) -> None:
        """Remove names that hold nothing: this worker's, and those of workers long gone."""
        key = self._keys.queue(kind)
        for consumer in await call(self._client, "XINFO CONSUMERS", key, GROUP):
            is_gone = consumer["idle"] > 3_600_000 or consumer["name"].decode() == self._name
            if is_gone and not consumer["pending"]:
                await call(self._client, "XGROUP", "DELCONSUMER", key, GROUP, consumer["name"])
