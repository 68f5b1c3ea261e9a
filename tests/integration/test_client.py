"""The Python client against a live service with a key."""

import asyncio
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reward_client import (
    AsyncRewardClient,
    BadRequest,
    Result,
    RewardClient,
    RewardServiceError,
    Unreachable,
)
from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

KEY, HASH = new_api_key()
ITEM = {"id": "a", "completion": "\\boxed{\\frac{2}{4}}", "task_id": "half"}
TASKS = {"half": {"ground_truth": "0.5", "verifiers": [{"name": "math"}]}}
RIGHT = {**TASKS["half"], "id": "right", "completion": "\\boxed{0.5}"}
WRONG = {**TASKS["half"], "id": "wrong", "completion": "\\boxed{2}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("client")
    with live_service(directory, sandbox_backend="off", pool_workers=1, api_keys=HASH) as running:
        yield running


def test_a_batch_gives_its_rewards(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        answer = client.score([ITEM, {**ITEM, "id": "b", "completion": "2"}], tasks=TASKS)
    assert answer["rewards"] == [1.0, 0.0]


async def test_a_batch_gives_its_rewards_to_a_coroutine(service: LiveService) -> None:
    async with AsyncRewardClient(service.url, api_key=KEY) as client:
        answer = await client.score([ITEM, {**ITEM, "id": "b", "completion": "2"}], tasks=TASKS)
    assert answer["rewards"] == [1.0, 0.0]
    assert [result["id"] for result in answer["results"]] == ["a", "b"]


def test_the_address_may_come_from_the_environment(
    service: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RULEGRADE_URL", service.url)
    monkeypatch.setenv("RULEGRADE_API_KEY", KEY)
    with RewardClient() as client:
        assert client.score([ITEM], tasks=TASKS)["rewards"] == [1.0]


def test_no_address_at_all_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RULEGRADE_URL", raising=False)
    with pytest.raises(ValueError, match="RULEGRADE_URL"):
        RewardClient()


def test_a_refusal_names_the_field(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client, pytest.raises(BadRequest) as refusal:
        client.score([ITEM])
    assert refusal.value.status == 422
    assert refusal.value.problems[0][0] == "items.0.task_id"


@pytest.mark.parametrize("key", ["", KEY[:-1], HASH])
def test_a_wrong_key_is_refused(service: LiveService, key: str) -> None:
    with (
        RewardClient(service.url, api_key=key) as client,
        pytest.raises(RewardServiceError, match="401 unauthorized"),
    ):
        client.score([ITEM], tasks=TASKS)


def test_tasks_are_checked_before_training(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        lost = {"ground_truth": "((", "verifiers": [{"name": "math"}]}
        answer = client.check_tasks({**TASKS, "lost": lost})
    assert [problem["task_id"] for problem in answer["problems"]] == ["lost"]


def _score_one(client: RewardClient) -> float | None:
    return client.score_one(RIGHT)["reward"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_client_in_use_goes_on_in_another_process(service: LiveService, method: str) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        assert _score_one(client) == 1.0
        with multiprocessing.get_context(method).Pool(2) as workers:
            assert workers.map(_score_one, [client] * 4) == [1.0] * 4
        assert _score_one(client) == 1.0


def test_a_forked_child_shares_no_connection_with_its_parent(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        assert _score_one(client) == 1.0
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        child = context.Process(target=lambda: answers.put([_score_one(client)] * 8))
        child.start()
        assert [_score_one(client) for _ in range(8)] == [1.0] * 8
        assert answers.get() == [1.0] * 8
        child.join()


def test_one_client_serves_event_loops_one_after_another(service: LiveService) -> None:
    client: AsyncRewardClient = pickle.loads(  # noqa: S301 - what we pickled ourselves
        pickle.dumps(AsyncRewardClient(service.url, api_key=KEY))
    )

    async def score() -> float | None:
        try:
            return (await client.score_one(RIGHT))["reward"]
        finally:
            await client.aclose()

    assert [asyncio.run(score()) for _ in range(2)] == [1.0, 1.0]


async def test_the_blocking_client_works_inside_a_running_loop(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        assert client.score([ITEM], tasks=TASKS)["rewards"] == [1.0]


def test_threads_of_one_client_get_their_own_results(service: LiveService) -> None:
    items = [{**(RIGHT if at % 2 else WRONG), "id": str(at)} for at in range(40)]
    with RewardClient(service.url, api_key=KEY) as client, ThreadPoolExecutor(40) as threads:
        results: list[Result] = list(threads.map(client.score_one, items))
    assert [result["id"] for result in results] == [str(at) for at in range(40)]
    assert [result["reward"] for result in results] == [0.0, 1.0] * 20


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BadRequest(422, "invalid_request", "no", (("items", "none"),)), id="refusal"),
        pytest.param(Unreachable("gone"), id="unreachable"),
    ],
)
def test_errors_cross_process_borders(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - what we pickled ourselves
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_the_client_needs_nothing_of_the_service() -> None:
    check = (
        "import sys, reward_client\n"
        "heavy = {'reward_service', 'sandbox', 'fastapi', 'docker', 'sympy', 'torch', 'numpy'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=60, check=False).returncode == 0
