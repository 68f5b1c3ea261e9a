"""The client's batches, streams, stored tasks and programs, against a live service."""

import time
from collections.abc import Iterator

import pytest

from reward_client import AsyncRewardClient, BadRequest, RewardClient
from tests.live_service import LiveService, live_service

TASK = {"ground_truth": "0.5", "verifiers": [{"name": "math"}]}
ITEMS = [
    {**TASK, "id": str(at), "completion": f"\\boxed{{{'0.5' if at % 2 else '2'}}}"}
    for at in range(20)
]
REWARDS = {str(at): float(at % 2) for at in range(20)}
SLOW = {
    "id": "slow",
    "completion": "```python\nimport time; time.sleep(30)\n```",
    "verifiers": [
        {"name": "code", "params": {"tests": [{"output": ""}], "limits": {"wall_s": 60.0}}}
    ],
}


@pytest.fixture(scope="module")
def service(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("kept")
    with live_service(directory, sandbox_slots=1, pool_workers=1) as running:
        yield running


def test_a_stream_gives_every_result(service: LiveService) -> None:
    with RewardClient(service.url) as client:
        results = {result["id"]: result["reward"] for result in client.score_stream(ITEMS)}
    assert results == REWARDS


async def test_a_stream_gives_every_result_to_a_coroutine(service: LiveService) -> None:
    async with AsyncRewardClient(service.url) as client:
        results = {result["id"]: result["reward"] async for result in client.score_stream(ITEMS)}
    assert results == REWARDS


def test_the_first_results_of_a_stream_do_not_wait_for_the_last(service: LiveService) -> None:
    with RewardClient(service.url) as client:
        stream = client.score_stream([SLOW, *ITEMS])
        began = time.monotonic()
        assert next(stream)["id"] != "slow"
        assert time.monotonic() - began < 25
        stream.close()


def test_a_stream_that_is_left_gives_its_batch_up(service: LiveService) -> None:
    with RewardClient(service.url) as client:
        batch_id = client.submit([SLOW])
        assert client.poll(batch_id)["status"] == "running"
        client.cancel(batch_id)
        assert client.poll(batch_id)["status"] == "cancelled"
        client.cancel("nonsense")  # one that is gone is none the worse


def test_a_batch_is_handed_over_and_fetched_later(service: LiveService) -> None:
    with RewardClient(service.url) as client:
        batch_id = client.submit(ITEMS)
        status = client.poll(batch_id, wait_s=60)
        assert status["status"] == "done"
        assert {r["id"]: r["reward"] for r in client.results(batch_id)} == REWARDS


def test_results_of_an_unknown_batch_are_refused(service: LiveService) -> None:
    with RewardClient(service.url) as client, pytest.raises(BadRequest, match="404"):
        list(client.results("nonsense"))


def test_a_stored_task_is_named_by_later_items(service: LiveService) -> None:
    item = {"id": "a", "completion": "\\boxed{1/2}", "task_id": "half of one"}
    with RewardClient(service.url) as client:
        client.put_task("half of one", TASK)
        assert client.get_task("half of one")["id"] == "half of one"
        assert client.score([item])["rewards"] == [1.0]
        client.delete_task("half of one")
        with pytest.raises(BadRequest, match=r"items\.0\.task_id"):
            client.score([item])


async def test_programs_are_run_for_their_output(service: LiveService) -> None:
    runs = [
        {"id": "a", "language": "python", "code": "print(input()[::-1])", "stdin": "abc"},
        {"id": "b", "language": "python", "code": "raise SystemExit(2)"},
    ]
    with RewardClient(service.url) as client:
        results = client.execute(runs)
    assert [(r["id"], r["verdict"]) for r in results] == [("a", "ok"), ("b", "runtime_error")]
    assert results[0]["stdout"] == "cba\n"
    async with AsyncRewardClient(service.url) as other:
        assert [r["stdout"] for r in await other.execute(runs)] == ["cba\n", ""]


def test_rules_are_listed(service: LiveService) -> None:
    with RewardClient(service.url) as client:
        assert {"math", "code"} <= {rule["name"] for rule in client.verifiers()}
