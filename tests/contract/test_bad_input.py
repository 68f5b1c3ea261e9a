"""Whatever bytes arrive, the answer is a short 4xx that names the field and repeats no value."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/bad_requests.jsonl").read_text().splitlines()
]
CANARY = "CANARY7f3a"
HANG_S = 5.0  # the promise is one second; this only tells a hang on a busy machine


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("bad_input")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


def body_of(row: dict[str, Any]) -> bytes:
    """The row's bytes: as text, as hexadecimal, or as (head, piece, times, tail)."""
    if "recipe" in row:
        head, piece, times, tail = row["recipe"]
        return str(head + piece * times + tail).encode()
    if "body_hex" in row:
        return bytes.fromhex(row["body_hex"])
    return str(row["body"]).encode()


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_a_bad_request_is_refused_by_name(service: LiveService, row: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(
        f"{service.url}/v1/rewards", content=body_of(row), headers=headers, timeout=HANG_S
    )
    assert answer.status_code == row["status"], answer.text[:500]
    assert len(answer.content) < 16_384
    assert CANARY not in answer.text
    refusal = answer.json()
    assert set(refusal) == {"code", "message", "problems", "request_id"}
    assert refusal["request_id"] == answer.headers["x-request-id"]
    if row["field"]:
        fields = [problem["field"] for problem in refusal["problems"]]
        assert any(field.startswith(row["field"]) for field in fields), (row["why"], fields)
        assert 1 <= len(fields) <= 20


def test_all_problems_are_counted_and_the_first_twenty_named(service: LiveService) -> None:
    items = [{"id": str(i), "completion": "x", "typo": CANARY} for i in range(5_000)]
    answer = httpx.post(f"{service.url}/v1/rewards", json={"items": items})
    refusal = answer.json()
    assert "5000 problems" in refusal["message"]
    assert [p["field"] for p in refusal["problems"]] == [f"items.{i}.typo" for i in range(20)]


def test_the_service_is_well_after_all_of_that(service: LiveService) -> None:
    for row in ROWS:
        httpx.post(f"{service.url}/v1/rewards", content=body_of(row), timeout=HANG_S)
    item = {"id": "a", "completion": "", "verifiers": [{"name": "format"}]}
    assert service.score({"items": [item]})["rewards"] == [0.0]
    assert service.log.read_text().count("request_failed") == 0
    assert CANARY not in service.log.read_text()


def test_a_typo_is_one_problem_whatever_else_the_field_could_have_been(
    service: LiveService,
) -> None:
    item = {"id": "a", "completion": CANARY, "verifiers": [{"name": "math", "weigth": 2}]}
    refusal = httpx.post(f"{service.url}/v1/rewards", json={"items": [item]}).json()
    assert [p["field"] for p in refusal["problems"]] == ["items.0.verifiers.0.weigth"]
    assert refusal["message"] == "The request has 1 problem."
