"""The queue in a real Redis: what dies is taken over, what is lost is sent again, once each."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest
import redis.asyncio

from reward_service.broker.base import Job, Lease
from reward_service.broker.redis_streams import RedisBroker
from reward_service.errors import BrokerError
from tests.contract.number_jobs import GIVEN_UP, LONG, redis_broker

LEASE_S = 0.5
Numbers = RedisBroker[int, int]


def jobs_of(*chunks: Sequence[int], deadline_s: float = 60) -> list[Job[int]]:
    deadline = time.monotonic() + deadline_s
    return [Job(uuid4().hex, "square", list(numbers), 10, deadline) for numbers in chunks]


async def square(broker: Numbers) -> None:
    async for lease in broker.leases("square"):
        for index, number in enumerate(lease.job.payload):
            await broker.reply(lease, index, number * number)
        await broker.finish(lease)


async def collect(broker: Numbers, jobs: Sequence[Job[int]]) -> Counter[int]:
    async with asyncio.timeout(30), broker.submit(jobs) as replies:
        return Counter([reply.result async for reply in replies])


async def test_what_a_dead_worker_held_is_done_by_another(redis_url: str) -> None:
    queue = uuid4().hex
    async with redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as alive:
        asking = asyncio.create_task(collect(alive, jobs_of([1, 2, 3], [4], [5])))
        async with redis_broker(redis_url, generation=queue, asks=False) as doomed:
            leases = doomed.leases("square")
            held = [await anext(leases) for _ in range(2)]
            assert [lease.job.payload for lease in held] == [[1, 2, 3], [4]]
        working = asyncio.create_task(square(alive))
        assert await asking == Counter([1, 4, 9, 16, 25])
        working.cancel()


async def test_a_lease_is_kept_for_as_long_as_the_work_takes(redis_url: str) -> None:
    queue = uuid4().hex
    async with (
        redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as first,
        redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as second,
    ):
        asking = asyncio.create_task(collect(first, jobs_of([7])))
        lease = await anext(first.leases("square"))
        taking = asyncio.ensure_future(anext(second.leases("square")))
        await asyncio.sleep(4 * LEASE_S)
        assert not taking.done()
        taking.cancel()
        await first.reply(lease, 0, 49)
        await first.finish(lease)
        assert await asking == Counter([49])


async def test_a_part_under_which_workers_die_is_given_up_alone(redis_url: str) -> None:
    queue = uuid4().hex
    poison = 13
    deaths = 0

    async def work_until_poisoned(worker: Numbers) -> None:
        async for lease in worker.leases("square"):
            if poison in lease.job.payload:
                return
            await worker.reply(lease, 0, lease.job.payload[0] ** 2)
            await worker.finish(lease)

    async with redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as caller:
        asking = asyncio.create_task(collect(caller, jobs_of([1, poison, 2])))
        while not asking.done():
            async with redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as worker:
                working = asyncio.create_task(work_until_poisoned(worker))
                await asyncio.wait((asking, working), return_when=asyncio.FIRST_COMPLETED)
                deaths += working.done()
                working.cancel()
    assert await asking == Counter([1, GIVEN_UP, 4])
    assert deaths == 4  # once in its chunk, then three times alone


async def test_who_is_beside_a_killer_is_not_given_up_with_it(redis_url: str) -> None:
    queue = uuid4().hex
    poison, innocent = 13, 2

    async def die_of_poison(worker: Numbers) -> None:
        """Two jobs at a time; the poison is quick, the innocent job takes longer."""

        async def square_slowly(lease: Lease[int]) -> None:
            await asyncio.sleep(LEASE_S / 5)
            await worker.reply(lease, 0, lease.job.payload[0] ** 2)
            await worker.finish(lease)

        async with asyncio.TaskGroup() as group:
            async for lease in worker.leases("square"):
                if lease.job.payload == [poison]:
                    raise ChildProcessError
                group.create_task(square_slowly(lease))

    async with redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as caller:
        asking = asyncio.create_task(collect(caller, jobs_of([innocent], [poison])))
        while not asking.done():
            async with redis_broker(redis_url, generation=queue, lease_s=LEASE_S) as worker:
                working = asyncio.create_task(die_of_poison(worker))
                await asyncio.wait((asking, working), return_when=asyncio.FIRST_COMPLETED)
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
    assert await asking == Counter([innocent**2, GIVEN_UP])


async def test_jobs_that_redis_forgot_are_sent_again(redis_url: str) -> None:
    async with redis_broker(redis_url) as broker:
        asking = asyncio.create_task(collect(broker, jobs_of([3], [LONG])))
        await asyncio.sleep(0.2)
        async with redis.asyncio.Redis.from_url(redis_url) as admin:
            await admin.flushall()
        working = asyncio.create_task(square(broker))
        assert await asking == Counter([9, LONG * LONG])
        working.cancel()


async def test_work_whose_caller_left_is_revoked_and_the_queue_left_empty(redis_url: str) -> None:
    queue = uuid4().hex
    async with (
        redis_broker(redis_url, generation=queue) as caller,
        redis_broker(redis_url, generation=queue, asks=False, lease_s=LEASE_S) as worker,
    ):
        revoked = asyncio.Event()
        async with asyncio.timeout(60):
            async with caller.submit(jobs_of([1], [2], [3])):
                lease = await anext(worker.leases("square"))
                lease.on_revoke = revoked.set
            await revoked.wait()
            await worker.finish(lease)
        async with redis.asyncio.Redis.from_url(redis_url) as admin:
            await asyncio.sleep(1)
            (name,) = await admin.keys(f"*{queue}*queue:square")
            assert await admin.xlen(name) == 0


async def test_generations_do_not_share_work(redis_url: str) -> None:
    async with redis_broker(redis_url) as old, redis_broker(redis_url) as new:
        working = asyncio.create_task(square(old))
        async with new.submit(jobs_of([2], deadline_s=1)) as replies:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await anext(replies)
        working.cancel()


async def test_a_redis_that_evicts_is_refused(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as admin:
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(BrokerError, match="noeviction"):
                async with redis_broker(redis_url):
                    pass
        finally:
            await admin.config_set("maxmemory-policy", "noeviction")
