"""
The example batch is the first thing a newcomer runs, so it must always be sendable as it stands.

Whether the service agrees with the expected verdicts is checked by sending it, not here.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reward_service.schemas import RewardRequest, Task, VerifierSpec
from reward_service.verdicts import Verdict

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES: list[dict[str, Any]] = [
    json.loads(line) for line in (EXAMPLES / "batch.jsonl").read_text("utf-8").splitlines()
]
TASKS: dict[str, dict[str, Any]] = {
    line["task"]["id"]: {key: value for key, value in line["task"].items() if key != "id"}
    for line in LINES
    if "task" in line
}
CASES = [line for line in LINES if "task" not in line]


def _accepted(expected: str | list[str]) -> list[str]:
    return [expected] if isinstance(expected, str) else expected


def test_the_whole_batch_is_one_valid_request() -> None:
    request = {"tasks": TASKS, "items": [line["item"] for line in CASES]}
    RewardRequest.model_validate_json(json.dumps(request))


def listed(task: Task) -> list[VerifierSpec]:
    assert isinstance(task.verifiers, list)
    return task.verifiers


def test_request_json_is_a_valid_request() -> None:
    text = (EXAMPLES / "request.json").read_text("utf-8")
    request = RewardRequest.model_validate_json(text)
    names = {
        spec.name
        for item in request.items
        if item.task_id is not None
        for spec in listed(request.tasks[item.task_id])
    }
    assert names == {"math", "code", "format", "language"}


def test_ids_are_unique_and_a_task_comes_before_its_items() -> None:
    counts = Counter((line.get("task") or line["item"])["id"] for line in LINES)
    assert counts.most_common(1)[0][1] == 1
    defined: set[str] = set()
    for line in LINES:
        if "task" in line:
            defined.add(line["task"]["id"])
        else:
            assert line["item"]["task_id"] in defined


@pytest.mark.parametrize("line", CASES, ids=lambda line: str(line["item"]["id"]))
def test_every_component_has_an_expected_outcome_and_every_item_a_why(line: dict[str, Any]) -> None:
    verifiers = TASKS[line["item"]["task_id"]]["verifiers"]
    assert list(line["expected"]) == [spec["name"] for spec in verifiers]
    known = {*Verdict, "skipped", "error"}
    for expected in line["expected"].values():
        assert set(_accepted(expected)) <= known
    assert line["why"]


def test_the_batch_shows_every_verdict_on_enough_tasks() -> None:
    shown = {
        outcome
        for line in CASES
        for expected in line["expected"].values()
        for outcome in _accepted(expected)
    }
    assert shown == {*Verdict, "skipped", "error"}
    assert len(TASKS) >= 22
    assert len(CASES) >= 64


def test_every_program_has_several_test_cases() -> None:
    sizes = {
        task_id: len(spec["params"]["tests"])
        for task_id, task in TASKS.items()
        for spec in task["verifiers"]
        if spec["name"] == "code"
    }
    assert sizes
    assert all(3 <= size <= 6 for size in sizes.values()), sizes
