"""What every queue promises, checked on each of them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from reward_service.broker.base import Broker, Caller, Job, Reply
from reward_service.broker.memory import MemoryBroker
from reward_service.errors import Overloaded
from tests.contract.number_jobs import redis_broker

Numbers = Broker[int, int]


@pytest.fixture(params=["memory", "redis"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Numbers]:
    if request.param == "memory":
        yield MemoryBroker(max_items=100, max_bytes=10_000)
        return
    async with redis_broker(request.getfixturevalue("redis_url")) as running:
        yield running


def job(*numbers: int, kind: str = "square", size: int = 10, deadline_s: float = 60) -> Job[int]:
    return Job(uuid4().hex, kind, list(numbers), size, time.monotonic() + deadline_s)


async def square(broker: Numbers, kind: str = "square") -> None:
    async for lease in broker.leases(kind):
        for index, number in enumerate(lease.job.payload):
            await broker.reply(lease, index, number * number)
        await broker.finish(lease)


async def test_every_result_comes_back_under_its_job_and_index(broker: Numbers) -> None:
    jobs = [job(1, 2), job(3)]
    worker = asyncio.create_task(square(broker))
    async with asyncio.timeout(60), broker.submit(jobs) as replies:
        got = [reply async for reply in replies]
    worker.cancel()
    assert sorted(got, key=lambda reply: reply.result) == [
        Reply(jobs[0].id, 0, 1),
        Reply(jobs[0].id, 1, 4),
        Reply(jobs[1].id, 0, 9),
    ]


async def test_no_jobs_means_no_replies(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([]) as replies:
        assert [reply async for reply in replies] == []


async def test_results_come_before_their_job_is_finished(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(1, 2)]) as replies:
        lease = await anext(broker.leases("square"))
        await broker.reply(lease, 1, 44)
        assert (await anext(replies)).result == 44


async def test_the_first_result_for_an_index_wins(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(1)]) as replies:
        lease = await anext(broker.leases("square"))
        await broker.reply(lease, 0, 1)
        await broker.reply(lease, 0, 2)
        assert [reply.result async for reply in replies] == [1]


async def test_a_worker_gets_only_its_kind(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(1, kind="cube"), job(2)]):
        lease = await anext(broker.leases("square"))
        assert lease.job.payload == [2]


async def test_callers_take_turns(broker: Numbers) -> None:
    burst = [job(i) for i in range(50)]
    async with asyncio.timeout(60), broker.submit(burst), broker.submit([job(99)]):
        leases = broker.leases("square")
        first_two = [(await anext(leases)).job.payload[0] for _ in range(2)]
    assert first_two == [0, 99]


async def test_lanes_and_keys_take_turns_whatever_waits_in_each(broker: Numbers) -> None:
    async with asyncio.timeout(60), AsyncExitStack() as waiting:
        for caller, numbers in (
            (Caller("train", "a"), range(10)),
            (Caller("train", "a"), range(10, 20)),
            (Caller("train", "b"), range(20, 22)),
            (Caller("eval", "a"), range(30, 33)),
        ):
            jobs = [job(number) for number in numbers]
            await waiting.enter_async_context(broker.submit(jobs, caller))
        leases = broker.leases("square")
        got = [(await anext(leases)).job.payload[0] for _ in range(8)]
    assert got == [0, 30, 20, 31, 10, 32, 21, 1]


async def test_joined_requests_are_not_overtaken_by_later_ones(broker: Numbers) -> None:
    async with asyncio.timeout(60), AsyncExitStack() as waiting:
        for caller, numbers in (
            (Caller(is_many=True), range(3)),
            (Caller(is_many=True), range(3, 5)),
            (Caller(), range(10, 13)),
            (Caller(is_many=True), range(5, 6)),
        ):
            jobs = [job(number) for number in numbers]
            await waiting.enter_async_context(broker.submit(jobs, caller))
        leases = broker.leases("square")
        got = [(await anext(leases)).job.payload[0] for _ in range(9)]
    assert got == [0, 1, 2, 3, 4, 10, 5, 11, 12]


async def test_after_stop_leasing_what_was_leased_can_still_be_answered(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(3), job(4)]) as replies:
        leases = broker.leases("square")
        lease = await anext(leases)
        broker.stop_leasing()
        assert await anext(leases, None) is None
        await broker.reply(lease, 0, 9)
        await broker.finish(lease)
        assert (await anext(replies)).result == 9


async def test_an_expired_job_is_not_started(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(1, deadline_s=-1), job(2)]):
        assert (await anext(broker.leases("square"))).job.payload == [2]


async def test_a_caller_who_leaves_drops_what_waits_and_revokes_what_runs(broker: Numbers) -> None:
    revoked = asyncio.Event()
    async with asyncio.timeout(60):
        async with broker.submit([job(1), job(2)]):
            lease = await anext(broker.leases("square"))
            lease.on_revoke = revoked.set
        await revoked.wait()
        assert broker.depth().items == 0
        await broker.reply(lease, 0, 1)  # too late, and harmless
        await broker.finish(lease)


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param([job(*range(101))], id="too-many-items"),
        pytest.param([job(1, size=10_001)], id="too-many-bytes"),
    ],
)
async def test_a_full_queue_refuses_all_of_a_submission(
    broker: Numbers, jobs: list[Job[int]]
) -> None:
    async with asyncio.timeout(60), broker.submit([job(1)]):
        with pytest.raises(Overloaded) as refusal:
            async with broker.submit([job(1), *jobs]):
                pass
        assert broker.depth().items == 1
    assert refusal.value.retry_after_s > 0


async def test_a_submission_larger_than_the_queue_is_taken_when_nothing_waits(
    broker: Numbers,
) -> None:
    async with asyncio.timeout(60), broker.submit([job(*range(1_000), size=100_000)]):
        assert broker.depth().items == 1_000


async def test_depth_counts_what_waits(broker: Numbers) -> None:
    async with asyncio.timeout(60), broker.submit([job(1, 2, size=30), job(3)]):
        depth = broker.depth()
        assert (depth.items, depth.size) == (3, 40)
        leases = broker.leases("square")
        taken = [await anext(leases), await anext(leases)]
        assert sum(lease.job.items for lease in taken) == 3
        assert broker.depth().items == 0
