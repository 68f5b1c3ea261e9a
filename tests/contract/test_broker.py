"""What every queue promises, checked on each of them."""

import asyncio
import time
from uuid import uuid4

import pytest

from reward_service.broker.base import Broker, Job, Reply
from reward_service.broker.memory import MemoryBroker
from reward_service.errors import Overloaded

Numbers = Broker[list[int], int]


@pytest.fixture
def broker() -> Numbers:
    return MemoryBroker(max_items=100, max_bytes=10_000)


def job(
    *numbers: int, kind: str = "square", size: int = 10, deadline_s: float = 60
) -> Job[list[int]]:
    return Job(uuid4().hex, kind, list(numbers), len(numbers), size, time.time() + deadline_s)


async def square(broker: Numbers, kind: str = "square") -> None:
    async for lease in broker.leases(kind):
        for index, number in enumerate(lease.job.payload):
            await broker.reply(lease, index, number * number)
        await broker.finish(lease)


async def test_every_result_comes_back_under_its_job_and_index(broker: Numbers) -> None:
    jobs = [job(1, 2), job(3)]
    worker = asyncio.create_task(square(broker))
    async with asyncio.timeout(10), broker.submit(jobs) as replies:
        got = [reply async for reply in replies]
    worker.cancel()
    assert sorted(got, key=lambda reply: reply.result) == [
        Reply(jobs[0].id, 0, 1),
        Reply(jobs[0].id, 1, 4),
        Reply(jobs[1].id, 0, 9),
    ]


async def test_no_jobs_means_no_replies(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([]) as replies:
        assert [reply async for reply in replies] == []


async def test_results_come_before_their_job_is_finished(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([job(1, 2)]) as replies:
        lease = await anext(broker.leases("square"))
        await broker.reply(lease, 1, 44)
        assert (await anext(replies)).result == 44


async def test_the_first_result_for_an_index_wins(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([job(1)]) as replies:
        lease = await anext(broker.leases("square"))
        await broker.reply(lease, 0, 1)
        await broker.reply(lease, 0, 2)
        assert [reply.result async for reply in replies] == [1]


async def test_a_worker_gets_only_its_kind(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([job(1, kind="cube"), job(2)]):
        lease = await anext(broker.leases("square"))
        assert lease.job.payload == [2]


async def test_callers_take_turns(broker: Numbers) -> None:
    burst = [job(i) for i in range(50)]
    async with asyncio.timeout(10), broker.submit(burst), broker.submit([job(99)]):
        leases = broker.leases("square")
        first_two = [(await anext(leases)).job.payload[0] for _ in range(2)]
    assert first_two == [0, 99]


async def test_an_expired_job_is_not_started(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([job(1, deadline_s=-1), job(2)]):
        assert (await anext(broker.leases("square"))).job.payload == [2]


async def test_a_caller_who_leaves_drops_what_waits_and_revokes_what_runs(broker: Numbers) -> None:
    revoked = asyncio.Event()
    async with asyncio.timeout(10):
        async with broker.submit([job(1), job(2)]):
            lease = await anext(broker.leases("square"))
            lease.on_revoke = revoked.set
        assert revoked.is_set()
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
    broker: Numbers, jobs: list[Job[list[int]]]
) -> None:
    async with asyncio.timeout(10), broker.submit([job(1)]):
        with pytest.raises(Overloaded) as refusal:
            async with broker.submit([job(1), *jobs]):
                pass
        assert broker.depth().items == 1
    assert refusal.value.retry_after_s > 0


async def test_a_submission_larger_than_the_queue_is_taken_when_nothing_waits(
    broker: Numbers,
) -> None:
    async with asyncio.timeout(10), broker.submit([job(*range(1_000), size=100_000)]):
        assert broker.depth().items == 1_000


async def test_depth_counts_what_waits(broker: Numbers) -> None:
    async with asyncio.timeout(10), broker.submit([job(1, 2, size=30), job(3)]):
        depth = broker.depth()
        assert (depth.items, depth.size) == (3, 40)
        await anext(broker.leases("square"))
        assert broker.depth().items == 1
