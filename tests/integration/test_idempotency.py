"""`Idempotency-Key`: sent again, a request is answered as the first time and not done again."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

ENDLESS = {"name": "json_schema", "params": {"schema": {"pattern": "^(a+)+$"}}}
MATH = [{"name": "math"}]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("idempotency")
    with live_service(
        directory, sandbox_backend="off", pool_workers=1, math_cpu_s=600, cache_mb=0
    ) as running:
        yield running


def post(
    service: LiveService, key: str, body: dict[str, Any], path: str = "rewards"
) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return httpx.post(f"{service.url}/v1/{path}", json=body, headers=headers, timeout=120)


def body(completion: str) -> dict[str, Any]:
    item = {"id": "a", "completion": completion, "ground_truth": "1/2", "verifiers": MATH}
    return {"items": [item]}


def test_the_same_request_is_answered_as_the_first_time(service: LiveService) -> None:
    first = post(service, "again", body("\\boxed{0.5}"))
    again = post(service, "again", body("\\boxed{0.5}"))
    assert again.content == first.content  # times and request id included: nothing was done
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_another_body_under_the_same_key_is_refused(service: LiveService) -> None:
    post(service, "reused", body("\\boxed{0.5}"))
    refused = post(service, "reused", body("\\boxed{0.6}"))
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


def test_while_the_first_one_runs_the_second_is_told_to_come_back(service: LiveService) -> None:
    slow = {
        "items": [{"id": "a", "completion": f'"{"a" * 60}!"', "verifiers": [ENDLESS]}],
        "deadline_ms": 5_000,
    }
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, service, "slow", slow)
        time.sleep(1.5)
        second = post(service, "slow", slow)
        assert (second.status_code, second.json()["code"]) == (409, "still_running")
        assert int(second.headers["Retry-After"]) > 0
        assert first.result().status_code == 200
    assert post(service, "slow", slow).content == first.result().content


def test_many_at_once_are_done_once(service: LiveService) -> None:
    together = threading.Barrier(16)

    def send(_: int) -> httpx.Response:
        together.wait()
        return post(service, "crowd", body("\\boxed{1/2}"))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1


def test_a_refused_request_leaves_its_key_free(service: LiveService) -> None:
    assert post(service, "mended", {"items": [{"id": "a", "completion": ""}]}).status_code == 422
    assert post(service, "mended", body("\\boxed{0.5}")).status_code == 200


def test_a_batch_that_is_sent_twice_is_one_batch(service: LiveService) -> None:
    first = post(service, "batch", body("\\boxed{0.5}"), "batches")
    again = post(service, "batch", body("\\boxed{0.5}"), "batches")
    assert first.status_code == again.status_code == 202
    assert first.json()["batch_id"] == again.json()["batch_id"]


def test_a_key_is_plain_text(service: LiveService) -> None:
    assert post(service, "x" * 256, body("\\boxed{0.5}")).status_code == 422
