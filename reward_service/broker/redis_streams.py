"""
The queue over many machines: Redis Streams with a consumer group.

API processes put jobs and wait for results, workers take jobs; either half can be had alone. At
least once, by a deterministic key, first result wins: so each result is seen once.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic

import structlog
from redis.exceptions import RedisError

from reward_service.broker.base import NOBODY, Caller, Codec, Depth, Job, Lease, P, R, Reply
from reward_service.broker.redis_connection import AWAY, Keys, call, connect, pause
from reward_service.broker.redis_inbox import Inbox
from reward_service.broker.redis_members import Member
from reward_service.broker.redis_outbox import Outbox
from reward_service.broker.turns import Turns
from reward_service.errors import BrokerError

WAIT_FOR_SERVER_S = 30.0
LEAVE_S = 5.0
DEFAULT_LEASE_S = 10.0

log = structlog.stdlib.get_logger("reward_service.broker")


class RedisBroker(Generic[P, R]):
    """A queue in Redis. See `Broker` for what it promises.

    Args:
        generation: names what shares work; processes of another generation have their own queue.
        member: the worker that this process is; None where it only asks.
        asks: whether this process submits jobs; a worker on its own does not.
        lease_s: seconds without a sign of life after which a worker's jobs go to others.
    """

    def __init__(
        self,
        url: str,
        codec: Codec[P, R],
        *,
        generation: str,
        max_items: int,
        max_bytes: int,
        member: Member | None = None,
        asks: bool = True,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self.client = connect(url, retries=3)
        """For short commands; others who keep things in the same Redis may share it."""
        self._blocking = connect(url, retries=0)
        self.keys = Keys(generation)
        turns: Turns[P, R] = Turns(max_items=max_items, max_bytes=max_bytes)
        self._asks = asks
        self._outbox = Outbox(self.client, self._blocking, self.keys, codec, turns)
        self._inbox: Inbox[P, R] | None = None
        if member is not None:
            self._inbox = Inbox(
                self.client, self._blocking, self.keys, codec, member=member, lease_s=lease_s
            )

    async def start(self) -> None:
        """Reach Redis and look at its settings; BrokerError when it is not there or unfit."""
        try:
            async with asyncio.timeout(WAIT_FOR_SERVER_S):
                await self._check_server()
            if self._inbox is not None:
                await self._inbox.start()
            if self._asks:
                await self._outbox.beat()
        except (TimeoutError, RedisError, OSError) as error:
            await self._disconnect()
            raise BrokerError(
                f"Redis cannot be used: {str(error) or type(error).__name__}"
            ) from error
        except BrokerError:
            await self._disconnect()
            raise

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._asks:
                group.create_task(self._outbox.run())
            if self._inbox is not None:
                group.create_task(self._inbox.run())

    async def close(self) -> None:
        """Hand in what is done, say goodbye, and disconnect."""
        try:
            if self._inbox is not None:
                await self._inbox.leave(within_s=LEAVE_S)
        finally:
            await self._disconnect()

    def submit(
        self, jobs: Sequence[Job[P]], caller: Caller = NOBODY
    ) -> AbstractAsyncContextManager[AsyncIterator[Reply[R]]]:
        """Queue `jobs`, all or none."""
        return self._outbox.submit(jobs, caller)

    def leases(self, kind: str) -> AsyncIterator[Lease[P]]:
        """Jobs of one kind; a job is taken when the caller asks for it."""
        return self._as_worker().leases(kind)

    def stop_leasing(self) -> None:
        """End every `leases` within a second."""
        self._as_worker().stop_leasing()

    async def reply(self, lease: Lease[P], index: int, result: R) -> None:
        """Hand in one result."""
        self._as_worker().reply(lease, index, result)

    async def finish(self, lease: Lease[P]) -> None:
        """Give the lease back."""
        self._as_worker().finish(lease)

    def depth(self) -> Depth:
        """What waits in this process; what is in Redis is about to be taken."""
        return self._outbox.depth()

    @property
    def is_away(self) -> bool:
        """Whether Redis did not answer the last time it was asked."""
        return self._outbox.is_away or (self._inbox is not None and self._inbox.is_away)

    @property
    def members(self) -> Sequence[Member]:
        """Workers that were alive a moment ago."""
        return self._outbox.members

    def announce(self, member: Member) -> None:
        """Describe this worker anew."""
        self._as_worker().member = member

    async def _disconnect(self) -> None:
        await self.client.aclose()
        await self._blocking.aclose()

    def _as_worker(self) -> Inbox[P, R]:
        if self._inbox is None:
            raise BrokerError("this process joined the queue without being a worker")
        return self._inbox

    async def _check_server(self) -> None:
        info: dict[str, Any] | None = None
        while info is None:
            try:
                info = await call(self.client, "INFO", "everything")
            except AWAY as error:
                log.warning("redis_away", reason=str(error))
                await pause()
        policy = info["maxmemory_policy"]
        if policy != "noeviction":
            raise BrokerError(
                f"Redis has maxmemory-policy {policy} and may drop queued jobs when it is full; "
                "set it to noeviction"
            )
        if not info["aof_enabled"]:
            log.warning("redis_without_aof", remedy="CONFIG SET appendonly yes")
