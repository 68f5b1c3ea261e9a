"""The Python client against a live service with a key."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from reward_client import RewardClient, RewardServiceError, Unreachable
from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

KEY, HASH = new_api_key()
ITEM = {"id": "a", "completion": "\\boxed{\\frac{2}{4}}", "task_id": "half"}
TASKS = {"half": {"ground_truth": "0.5", "verifiers": [{"name": "math"}]}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("client")
    with live_service(directory, sandbox_backend="off", pool_workers=1, api_keys=HASH) as running:
        yield running


def test_a_batch_gives_its_rewards(service: LiveService) -> None:
    with RewardClient(service.url, api_key=KEY) as client:
        answer = client.score([ITEM, {**ITEM, "id": "b", "completion": "2"}], tasks=TASKS)
    assert answer["rewards"] == [1.0, 0.0]


def test_a_refusal_names_the_field(service: LiveService) -> None:
    with (
        RewardClient(service.url, api_key=KEY) as client,
        pytest.raises(RewardServiceError) as refusal,
    ):
        client.score([ITEM])
    assert refusal.value.status == 422
    assert refusal.value.problems[0][0] == "items.0.task_id"


@pytest.mark.parametrize("key", [None, KEY[:-1], HASH])
def test_a_wrong_key_is_refused(service: LiveService, key: str | None) -> None:
    with (
        RewardClient(service.url, api_key=key) as client,
        pytest.raises(RewardServiceError, match="401 unauthorized"),
    ):
        client.score([ITEM], tasks=TASKS)


def test_no_service_is_told_apart_from_a_refusal() -> None:
    with RewardClient("http://127.0.0.1:9") as client, pytest.raises(Unreachable):
        client.score([ITEM], tasks=TASKS)


def test_the_client_needs_nothing_of_the_service() -> None:
    check = (
        "import sys, reward_client\n"
        "heavy = {'reward_service', 'sandbox', 'fastapi', 'docker', 'sympy', 'torch', 'numpy'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=60, check=False).returncode == 0
