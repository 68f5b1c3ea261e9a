"""Batches that are fetched later, on one process and on several that share a Redis."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service
from tests.live_worker import live_worker

MATH = [{"name": "math"}]
ENDLESS = {"name": "json_schema", "params": {"schema": {"pattern": "^(a+)+$"}}}
KEY, DIGEST = new_api_key()
OTHER, OTHER_DIGEST = new_api_key()


@pytest.fixture(scope="module", params=["memory", "redis"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("batches")
    common: dict[str, Any] = {"sandbox_backend": "off", "pool_workers": 2, "math_cpu_s": 60}
    keys = f"one:{DIGEST},two:{OTHER_DIGEST}"
    if request.param == "memory":
        with live_service(directory, **common, api_keys=keys) as running:
            yield running
        return
    url = next(request.getfixturevalue("redis_urls"))
    with (
        live_worker(directory, **common, redis_url=url),
        live_service(directory, **common, api_keys=keys, redis_url=url) as running,
    ):
        yield running


def client_of(service: LiveService, key: str = KEY) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=120)


def items(count: int, salt: str) -> list[dict[str, Any]]:
    """Right where the number is even."""
    return [
        {
            "id": f"{salt}-{number}",
            "completion": f"{salt} \\boxed{{{number + number % 2}}}",
            "ground_truth": str(number),
            "verifiers": MATH,
        }
        for number in range(count)
    ]


def hang(salt: str) -> dict[str, Any]:
    """An item that keeps a worker busy until the deadline."""
    return {"id": "hang", "completion": f'"{"a" * 60}!{salt}"', "verifiers": [ENDLESS]}


def results_of(client: httpx.Client, batch_id: str) -> list[dict[str, Any]]:
    with client.stream("GET", f"/v1/batches/{batch_id}/results") as lines:
        return [json.loads(line) for line in lines.iter_lines()]


def test_a_batch_is_accepted_at_once_and_answered_item_by_item(service: LiveService) -> None:
    with client_of(service) as client:
        accepted = client.post("/v1/batches", json={"items": items(100, "batch")})
        assert accepted.status_code == 202
        batch_id = accepted.json()["batch_id"]
        results = sorted(results_of(client, batch_id), key=lambda result: result["index"])
        assert [result["index"] for result in results] == list(range(100))
        assert [result["id"] for result in results] == [f"batch-{n}" for n in range(100)]
        assert [result["reward"] for result in results] == [1.0 - n % 2 for n in range(100)]
        status = client.get(f"/v1/batches/{batch_id}?wait_s=30").json()
        assert (status["status"], status["answered"], status["scored"]) == ("done", 100, 100)


def test_results_come_before_the_batch_is_over(service: LiveService) -> None:
    with client_of(service) as client:
        body = {"items": [hang("first"), *items(5, "early")], "deadline_ms": 15_000}
        batch_id = client.post("/v1/batches", json=body).json()["batch_id"]
        with client.stream("GET", f"/v1/batches/{batch_id}/results") as lines:
            stream = lines.iter_lines()
            early = {json.loads(next(stream))["id"] for _ in range(5)}
            status = client.get(f"/v1/batches/{batch_id}").json()
            assert early == {f"early-{n}" for n in range(5)}
            assert (status["status"], status["answered"]) == ("running", 5)
            last = json.loads(next(stream))
        assert last["id"] == "hang"
        assert last["reward"] is None


def test_a_cancelled_batch_ends_and_gives_its_workers_back(service: LiveService) -> None:
    with client_of(service) as client:
        body = {"items": [hang(f"{n}") | {"id": str(n)} for n in range(8)], "deadline_ms": 600_000}
        batch_id = client.post("/v1/batches", json=body).json()["batch_id"]
        time.sleep(1)
        assert client.delete(f"/v1/batches/{batch_id}").json()["status"] == "cancelled"
        assert results_of(client, batch_id) == []
        answer = client.post("/v1/rewards", json={"items": items(20, "after the cancel")})
        assert answer.json()["summary"]["scored"] == 20


def test_another_key_sees_no_batch(service: LiveService) -> None:
    with client_of(service) as client, client_of(service, OTHER) as other:
        batch_id = client.post("/v1/batches", json={"items": items(1, "mine")}).json()["batch_id"]
        for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
            assert other.request(method, f"/v1/batches/{batch_id}{path}").status_code == 404
        assert client.get(f"/v1/batches/{batch_id}").status_code == 200


def test_a_batch_that_cannot_be_graded_is_refused_at_once(service: LiveService) -> None:
    with client_of(service) as client:
        refused = client.post("/v1/batches", json={"items": [{"id": "a", "completion": "x"}]})
        assert refused.status_code == 422
        assert refused.json()["problems"][0]["field"] == "items.0.verifiers"


def test_a_batch_whose_process_was_killed_is_finished_by_another(
    tmp_path: Path, redis_url: str
) -> None:
    common: dict[str, Any] = {"sandbox_backend": "off", "redis_url": redis_url}
    body = {"items": items(400, "orphan"), "deadline_ms": 300_000}
    with live_worker(tmp_path, **common, lease_s=1) as _:
        with live_service(tmp_path, **common) as doomed:
            batch_id = httpx.post(f"{doomed.url}/v1/batches", json=body).json()["batch_id"]
            doomed.process.kill()
        with live_service(tmp_path, **common) as heir, httpx.Client(base_url=heir.url) as client:
            client.timeout = httpx.Timeout(120)
            results = results_of(client, batch_id)
    assert sorted(result["index"] for result in results) == list(range(400))
    assert all(result["reward"] == 1.0 - result["index"] % 2 for result in results)
