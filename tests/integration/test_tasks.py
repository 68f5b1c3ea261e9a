"""`POST /v1/tasks` says before training which references no answer can be compared with."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

MATH = [{"name": "math"}]
CODE = [{"name": "code", "params": {"tests": [{"input": "1", "output": "1"}]}}]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("tasks")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


def check(service: LiveService, tasks: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/tasks", json={"tasks": tasks}, timeout=60)


def test_unreadable_references_are_named_and_the_others_counted(service: LiveService) -> None:
    tasks = {
        "fine": {"ground_truth": "\\frac{1}{2}", "verifiers": MATH},
        "empty": {"ground_truth": " ", "verifiers": MATH},
        "one-of-two": {"ground_truth": ["1", "(("], "verifiers": "r1-zero"},
        "program": {"verifiers": CODE},
    }
    answer = check(service, tasks).json()
    assert (answer["count"], answer["gradable"]) == (4, 2)
    found = {problem["task_id"]: problem for problem in answer["problems"]}
    assert found.keys() == {"empty", "one-of-two"}
    assert {problem["code"] for problem in found.values()} == {"gold_unparseable"}
    assert {problem["verifier"] for problem in found.values()} == {"math"}


@pytest.mark.parametrize(
    ("task", "field"),
    [
        pytest.param({"verifiers": MATH}, "tasks.p.ground_truth", id="no-reference"),
        pytest.param({"ground_truth": "1"}, "tasks.p.verifiers", id="no-verifier"),
        pytest.param({"verifiers": [{"name": "x"}]}, "tasks.p.verifiers.0.name", id="unknown"),
        pytest.param({"ground_truth": 1, "verifiers": MATH}, "tasks.p.ground_truth", id="type"),
    ],
)
def test_a_task_that_cannot_be_graded_as_written_is_refused(
    service: LiveService, task: dict[str, Any], field: str
) -> None:
    answer = check(service, {"p": task})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == field
