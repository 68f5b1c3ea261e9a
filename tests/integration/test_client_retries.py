"""The client on a bad network: what it sends again, what it shares, when it gives up."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reward_client import (
    AsyncRewardClient,
    BadRequest,
    Retries,
    RewardClient,
    RewardServiceError,
    Unavailable,
    Unreachable,
)
from tests.flaky_proxy import Fault, FlakyProxy, flaky_proxy
from tests.live_service import LiveService, live_service

TASK = {"ground_truth": "0.5", "verifiers": [{"name": "math"}]}
ITEM = {**TASK, "id": "a", "completion": "\\boxed{0.5}"}
QUICK = Retries(attempts=4, first_s=0.01, longest_s=0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("retries")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


@pytest.fixture
def proxy(service: LiveService) -> Iterator[FlakyProxy]:
    with flaky_proxy(service.url) as running:
        yield running


FAULTS = [
    pytest.param(429, id="429"),
    pytest.param(502, id="502"),
    pytest.param(503, id="503"),
    pytest.param(504, id="504"),
    pytest.param("drop", id="connection-breaks-before-the-work"),
    pytest.param("drop_answer", id="connection-breaks-after-the-work"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_met_with_the_same_request_again(
    proxy: FlakyProxy, fault: Fault
) -> None:
    proxy.faults = [fault, fault]
    with RewardClient(proxy.url, retries=QUICK) as client:
        assert client.score([ITEM])["rewards"] == [1.0]
    assert len(proxy.seen) == 3
    assert len({(seen.key, seen.body) for seen in proxy.seen}) == 1
    assert proxy.seen[0].key


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_coroutine_meets_faults_likewise(proxy: FlakyProxy, fault: Fault) -> None:
    proxy.faults = [fault, fault]
    async with AsyncRewardClient(proxy.url, retries=QUICK) as client:
        assert (await client.score([ITEM]))["rewards"] == [1.0]
    assert len({(seen.key, seen.body) for seen in proxy.seen}) == 1


def test_two_requests_have_two_keys(proxy: FlakyProxy) -> None:
    with RewardClient(proxy.url, retries=QUICK) as client:
        client.score([ITEM])
        client.score([ITEM])
    assert proxy.seen[0].key != proxy.seen[1].key


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500, 501])
def test_other_answers_are_not_asked_for_again(proxy: FlakyProxy, status: int) -> None:
    proxy.faults = [status]
    with (
        RewardClient(proxy.url, retries=QUICK) as client,
        pytest.raises(RewardServiceError) as refusal,
    ):
        client.score([ITEM])
    assert refusal.value.status == status
    assert isinstance(refusal.value, Unavailable if status >= 500 else BadRequest)
    assert len(proxy.seen) == 1


def test_a_conflict_with_our_own_lost_attempt_is_waited_for(proxy: FlakyProxy) -> None:
    proxy.faults = ["drop", 409]
    with RewardClient(proxy.url, retries=QUICK) as client:
        assert client.score([ITEM])["rewards"] == [1.0]


def test_after_the_last_attempt_the_refusal_is_raised(proxy: FlakyProxy) -> None:
    proxy.faults = [503] * 9
    with RewardClient(proxy.url, retries=QUICK) as client, pytest.raises(Unavailable):
        client.score([ITEM])
    assert len(proxy.seen) == QUICK.attempts


def test_retry_after_is_kept_to(proxy: FlakyProxy) -> None:
    proxy.faults, proxy.retry_after = [429], "1"
    began = time.monotonic()
    with RewardClient(proxy.url, retries=QUICK) as client:
        client.score([ITEM])
    assert time.monotonic() - began >= 1.0


def test_a_pause_that_the_deadline_does_not_allow_is_not_made(proxy: FlakyProxy) -> None:
    proxy.faults, proxy.retry_after = [503], "3600"
    with RewardClient(proxy.url, retries=QUICK) as client, pytest.raises(Unavailable):
        client.score([ITEM])


def test_no_service_is_told_apart_from_a_refusal() -> None:
    with (
        RewardClient("http://127.0.0.1:9", retries=QUICK) as client,
        pytest.raises(Unreachable, match="4 attempts"),
    ):
        client.score([ITEM])


def test_another_web_server_is_no_reward_service(proxy: FlakyProxy) -> None:
    proxy.faults = [200]
    with RewardClient(proxy.url) as client, pytest.raises(Unreachable, match="not an answer"):
        client.score([ITEM])


async def test_single_calls_travel_together(proxy: FlakyProxy) -> None:
    items = [{**ITEM, "id": "the same id"} for _ in range(200)]
    async with AsyncRewardClient(proxy.url, window_s=0.5) as client:
        results = await asyncio.gather(*map(client.score_one, items))
    assert [result["reward"] for result in results] == [1.0] * 200
    assert {result["id"] for result in results} == {"the same id"}
    assert len(proxy.seen) == 1
    assert len(proxy.seen[0].items) == 200


async def test_a_full_request_does_not_wait_for_the_window(proxy: FlakyProxy) -> None:
    async with AsyncRewardClient(proxy.url, window_s=3600) as client:
        await asyncio.gather(*(client.score_one(ITEM) for _ in range(256)))
    assert [len(seen.items) for seen in proxy.seen] == [256]


async def test_one_bad_item_spoils_no_other(proxy: FlakyProxy) -> None:
    items = [{**ITEM, "wieght": 1} if at == 5 else ITEM for at in range(16)]
    async with AsyncRewardClient(proxy.url, window_s=0.2) as client:
        outcomes = await asyncio.gather(*map(client.score_one, items), return_exceptions=True)
    refused = outcomes.pop(5)
    assert isinstance(refused, BadRequest)
    assert refused.problems[0][0] == "items.0.wieght"
    assert [o["reward"] for o in outcomes if not isinstance(o, BaseException)] == [1.0] * 15


async def test_what_is_no_json_spoils_no_other(proxy: FlakyProxy) -> None:
    items: list[dict[str, Any]] = [{**ITEM, "metadata": object()}, ITEM]
    async with AsyncRewardClient(proxy.url, window_s=0.2) as client:
        wrong, right = await asyncio.gather(*map(client.score_one, items), return_exceptions=True)
    assert isinstance(wrong, TypeError)
    assert isinstance(right, dict)
    assert right["reward"] == 1.0


async def test_a_caller_who_leaves_takes_no_other_along(proxy: FlakyProxy) -> None:
    async with AsyncRewardClient(proxy.url, window_s=0.2) as client:
        first, second = (asyncio.create_task(client.score_one(ITEM)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second)["reward"] == 1.0
        with pytest.raises(asyncio.CancelledError):
            await first
