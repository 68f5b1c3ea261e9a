"""Hostile programs end in their verdict and earn nothing by force; honest ones earn all."""

from typing import Any

import pytest

from tests.conformance.verdicts import Json, Server, item
from tests.sandbox.sandbox_cases import Row, read, read_attacks

CHECKERS: Json = {
    "default": {"name": "tokens"},
    "exact": {"name": "exact"},
    "float:1e-6": {"name": "floats", "abs": 1e-6, "rel": 1e-6},
}
PATIENT = {"cpu_s": 10, "wall_s": 60}


def _stdin(row: Row, source: str, tests: list[Json], limits: Json, **params: Any) -> Json:
    language = row["language"]
    return item(
        row["id"], source, language=language, kind="stdin", tests=tests, limits=limits, **params
    )


def _task(row: Row, source: str) -> Json:
    """An item for a task of the corpora, of whatever kind."""
    task = row.get("task", row)
    kind = row["kind"]
    limits = {
        "cpu_s": task.get("time_limit_s", 2),
        "memory_mb": max(task.get("memory_limit_mb", 256), 64),
    }
    if kind == "stdin":
        checker = CHECKERS[task.get("checker", "default")]
        tests = [{"input": t["input"], "output": t["output"]} for t in task["tests"]]
        return _stdin(row, source, tests, limits, checker=checker)
    params = {"language": row["language"], "kind": kind, "entry_point": task["entry_point"]}
    if kind == "function":
        tests = [{"args": t["args"], "expected": t["expected"]} for t in task["tests"]]
        return item(row["id"], source, tests=tests, limits=limits, **params)
    return item(row["id"], source, test_code=task["tests_code"], limits=limits, **params)


ATTACKS = read_attacks()
ATTACK_ITEMS = [
    _stdin(r, r["source"], [{"input": r["input"], "output": r["output"]}], r["limits"])
    for r in ATTACKS
]
HONEST = read("honest.jsonl")
HONEST_ITEMS = [_stdin(r, r["source"], r["tests"], PATIENT | r["limits"]) for r in HONEST]
HACKS = read("code_hacks.jsonl")
HACK_ITEMS = [_task(row, row["code"]) for row in HACKS]
TASKS = read("code_tasks_own.jsonl")
TASK_ITEMS = [
    _task(row, row[name]) for row in TASKS for name in ("reference_solution", "wrong_solution")
]


def _indexed(rows: list[Row]) -> list[Any]:
    return [pytest.param(i, id=row["id"]) for i, row in enumerate(rows)]


@pytest.mark.parametrize("index", _indexed(ATTACKS))
def test_an_attack_ends_in_its_verdict(server: Server, index: int) -> None:
    result = server.result("attacks", ATTACK_ITEMS, index)
    assert result["status"] == "scored", result["error"]
    verdict = result["components"]["code"]["verdict"]
    assert verdict in ATTACKS[index]["verdict"], (ATTACKS[index]["why"], result)
    assert result["reward"] == (1.0 if verdict == "correct" else 0.0)


@pytest.mark.parametrize("index", _indexed(HONEST))
def test_an_honest_program_is_rewarded(server: Server, index: int) -> None:
    result = server.result("honest", HONEST_ITEMS, index)
    assert result["reward"] == 1.0, (HONEST[index]["why"], result)


@pytest.mark.parametrize("index", _indexed(HACKS))
def test_a_hack_is_not_rewarded_and_an_honest_program_is(server: Server, index: int) -> None:
    result = server.result("hacks", HACK_ITEMS, index)
    expected = 0.0 if HACKS[index]["must_not_pass"] else 1.0
    assert result["reward"] == expected, (HACKS[index]["defence"], result)


@pytest.mark.parametrize("index", _indexed(TASKS))
def test_a_task_tells_its_reference_from_a_wrong_solution(server: Server, index: int) -> None:
    right = server.result("tasks", TASK_ITEMS, 2 * index)
    wrong = server.result("tasks", TASK_ITEMS, 2 * index + 1)
    assert (right["reward"], wrong["reward"]) == (1.0, 0.0)


def test_the_server_is_ready_after_all_that(server: Server) -> None:
    assert server.is_ready()
