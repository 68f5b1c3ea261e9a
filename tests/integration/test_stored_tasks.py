"""`PUT /v1/tasks/{id}`: sent once, named by items of later requests, never changed meanwhile."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

TASK = {"ground_truth": "1/2", "verifiers": [{"name": "math"}]}
OTHER_TASK = {"ground_truth": "1/3", "verifiers": [{"name": "math"}]}
KEY, DIGEST = new_api_key()
OTHER, OTHER_DIGEST = new_api_key()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("stored")
    keys = f"one:{DIGEST},two:{OTHER_DIGEST}"
    with live_service(
        directory, sandbox_backend="off", pool_workers=1, api_keys=keys, store_mb=1
    ) as running:
        yield running


@pytest.fixture
def client(service: LiveService) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": KEY}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60) as client:
        yield client


def score(client: httpx.Client, task_id: str, completion: str) -> httpx.Response:
    item = {"id": "a", "task_id": task_id, "completion": completion}
    return client.post("/v1/rewards", json={"items": [item]})


def test_items_are_scored_by_a_task_that_came_before(client: httpx.Client) -> None:
    stored = client.put("/v1/tasks/half", json=TASK)
    assert stored.status_code == 201
    assert stored.json()["kept_s"] == 86_400
    assert score(client, "half", "\\boxed{0.5}").json()["rewards"] == [1.0]
    assert score(client, "half", "\\boxed{0.6}").json()["rewards"] == [0.0]


def test_the_same_task_may_come_again_and_another_may_not(client: httpx.Client) -> None:
    first = client.put("/v1/tasks/fixed", json=TASK)
    again = client.put("/v1/tasks/fixed", json=TASK)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["digest"] == again.json()["digest"]
    assert client.put("/v1/tasks/fixed", json=OTHER_TASK).status_code == 409
    assert score(client, "fixed", "\\boxed{0.5}").json()["rewards"] == [1.0]


def test_a_task_that_the_request_brings_wins(client: httpx.Client) -> None:
    client.put("/v1/tasks/both", json=TASK)
    item = {"id": "a", "task_id": "both", "completion": "\\boxed{1/3}"}
    body = {"tasks": {"both": OTHER_TASK}, "items": [item]}
    assert client.post("/v1/rewards", json=body).json()["rewards"] == [1.0]


def test_a_forgotten_task_cannot_be_named(client: httpx.Client) -> None:
    client.put("/v1/tasks/gone", json=TASK)
    assert client.get("/v1/tasks/gone").status_code == 200
    assert client.delete("/v1/tasks/gone").status_code == 204
    assert client.get("/v1/tasks/gone").status_code == 404
    refused = score(client, "gone", "\\boxed{0.5}")
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == "items.0.task_id"
    assert client.put("/v1/tasks/gone", json=OTHER_TASK).status_code == 201


def test_another_key_neither_sees_nor_names_it(service: LiveService, client: httpx.Client) -> None:
    client.put("/v1/tasks/mine", json=TASK)
    with httpx.Client(base_url=service.url, headers={"X-API-Key": OTHER}) as other:
        assert other.get("/v1/tasks/mine").status_code == 404
        assert other.delete("/v1/tasks/mine").status_code == 404
        assert score(other, "mine", "\\boxed{0.5}").status_code == 422
        assert other.put("/v1/tasks/mine", json=OTHER_TASK).status_code == 201
    assert score(client, "mine", "\\boxed{0.5}").json()["rewards"] == [1.0]


@pytest.mark.parametrize(
    ("task", "field"),
    [
        pytest.param({"verifiers": [{"name": "math"}]}, "ground_truth", id="no-reference"),
        pytest.param({"ground_truth": "1"}, "verifiers", id="no-verifier"),
        pytest.param(TASK | {"gold": 1}, "gold", id="typo"),
    ],
)
def test_a_task_that_cannot_be_graded_as_written_is_refused(
    client: httpx.Client, task: dict[str, Any], field: str
) -> None:
    refused = client.put("/v1/tasks/bad", json=task)
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == field


def test_a_full_store_refuses_and_keeps_what_it_has(client: httpx.Client) -> None:
    client.put("/v1/tasks/kept", json=TASK)
    big = TASK | {"prompt": "x" * 700_000}
    assert client.put("/v1/tasks/big-1", json=big).status_code == 201
    refused = client.put("/v1/tasks/big-2", json=big | {"prompt": "y" * 700_000})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert score(client, "kept", "\\boxed{0.5}").json()["rewards"] == [1.0]
