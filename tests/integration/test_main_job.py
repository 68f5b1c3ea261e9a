"""The promises of the main job, on the real service with real containers."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.live_service import LiveService, live_service

pytestmark = pytest.mark.usefixtures("docker_engine")

OWN: set[str] = set()
"""Label of the containers of the service under test."""
THOUGHT = "<think>\nLet me add the two numbers step by step, then check the sum again.\n</think>\n"
SUM_TESTS = [{"input": "1 2\n", "output": "3\n"}, {"input": "40 2\n", "output": "42\n"}]
TASKS: dict[str, Any] = {
    "sum": {
        "prompt": "What is 40 + 2?",
        "ground_truth": "42",
        "verifiers": [{"name": "math"}, {"name": "format"}],
    },
    "thought": {"verifiers": [{"name": "language", "params": {"target": "en"}}]},
    "python": {"verifiers": [{"name": "code", "params": {"tests": SUM_TESTS}}]},
    "cpp": {"verifiers": [{"name": "code", "params": {"language": "cpp", "tests": SUM_TESTS}}]},
}
RIGHT_PYTHON = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
HOSTILE = {
    "tower": ("sum", THOUGHT + "<answer>\\boxed{9^{9^{9^9}}}</answer>"),
    "endless": ("python", "```python\nwhile True: pass\n```"),
    "forks": ("python", "```python\nimport os\nwhile True: os.fork()\n```"),
    "flood": ("python", "```python\nfor _ in range(200): print('x' * 2**20)\n```"),
}


def completions(count: int) -> Iterator[tuple[str, str, str]]:
    """(id, task, completion): right and wrong, all different, of every kind."""
    for i in range(count):
        match i % 8:
            case 0:
                yield f"python-{i}", "python", f"{RIGHT_PYTHON}\nVersion {i}."
            case 4:
                wrong = RIGHT_PYTHON.replace("a + b", f"a + b + {i}")
                yield f"wrong-python-{i}", "python", wrong
            case 1 | 5:
                yield f"thought-{i}", "thought", THOUGHT + f"<answer>{i}</answer>"
            case 2:
                yield f"wrong-{i}", "sum", THOUGHT + f"<answer>\\boxed{{{i + 1000}}}</answer>"
            case _:
                equal = f"\\boxed{{\\frac{{{42 * (i + 1)}}}{{{i + 1}}}}}"
                yield f"right-{i}", "sum", THOUGHT + f"<answer>{equal}</answer>"
    program = "#include <iostream>\nint main(){long a,b;std::cin>>a>>b;std::cout<<a+b;}"
    yield "cpp", "cpp", f"```cpp\n{program}\n```"


def batch(rows: list[tuple[str, str, str]], **fields: Any) -> dict[str, Any]:
    items = [{"id": i, "task_id": task, "completion": text} for i, task, text in rows]
    return {"tasks": TASKS, "items": items, **fields}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def test_hostile_items_leave_their_neighbours_alone(service: LiveService) -> None:
    honest = list(completions(507))
    rows = list(honest)
    for place, (name, (task, text)) in enumerate(HOSTILE.items()):
        rows.insert(100 * place + 50, (name, task, text))
    alone = service.score(batch(honest, deadline_ms=300_000))
    beside = service.score(batch(rows, deadline_ms=300_000))
    assert beside["summary"]["count"] == 512
    assert [r["id"] for r in beside["results"]] == [row[0] for row in rows]
    assert [r["index"] for r in beside["results"]] == list(range(512))
    assert beside["rewards"] == [r["reward"] for r in beside["results"]]
    rewards = {r["id"]: r["reward"] for r in beside["results"]}
    assert alone["summary"]["errors"] == 0
    assert {r["id"]: r["reward"] for r in alone["results"]} == {
        name: rewards[name] for name, _, _ in honest
    }
    found = {r["id"]: r["components"] for r in beside["results"] if r["id"] in HOSTILE}
    assert found["endless"]["code"]["verdict"] == "time_limit_exceeded"
    assert found["forks"]["code"]["verdict"] in {
        "runtime_error",
        "time_limit_exceeded",
        "memory_limit_exceeded",
    }
    assert found["flood"]["code"]["verdict"] == "output_limit_exceeded"
    assert found["tower"]["math"]["verdict"] == "wrong_answer" or rewards["tower"] is None


def test_right_is_rewarded_and_wrong_is_not(service: LiveService) -> None:
    answer = service.score(batch(list(completions(64))))
    for result in answer["results"]:
        expected = 2.0 if result["id"].startswith("right") else 1.0
        if result["id"].startswith("wrong-python"):
            expected = 0.0
        assert result["reward"] == expected, result


def pool_processes() -> list[int]:
    """Worker processes by the name they give themselves."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                name = (entry / "comm").read_text().strip()
            except OSError:  # it ended meanwhile
                continue
            if name == "rulegrade-pool":
                found.append(int(entry.name))
    return found


def kill_pool_processes() -> None:
    for pid in pool_processes():
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(pid, signal.SIGKILL)


def kill_containers() -> None:
    for container in _containers():
        if container.labels["rulegrade.sandbox"] in OWN:
            with contextlib.suppress(docker.errors.APIError):  # it has just been replaced
                container.kill()


@pytest.mark.parametrize(
    ("kill", "task"),
    [
        pytest.param(kill_pool_processes, "sum", id="math-workers"),
        pytest.param(kill_containers, "python", id="sandbox-containers"),
    ],
)
def test_what_is_killed_is_retried_or_an_error_and_never_a_number(
    service: LiveService, kill: Callable[[], None], task: str
) -> None:
    rows = [row for row in completions(800) if row[1] == task]
    expected = {r["id"]: r["reward"] for r in service.score(batch(rows))["results"]}
    again = [(f"{i}", task, text + " ") for i, _, text in rows]  # not what a cache could hold
    stop = threading.Event()
    kills = 0

    def keep_killing() -> None:
        nonlocal kills
        while kills < 4 and not stop.wait(0.05 * 4**kills):
            kill()
            kills += 1

    killer = threading.Thread(target=keep_killing)
    killer.start()
    answer = service.score(batch(again, deadline_ms=240_000))
    stop.set()
    killer.join()
    assert kills > 0
    for result in answer["results"]:
        if result["reward"] is None:
            assert result["status"] == "error"
            assert result["error"]["retryable"]
            assert result["mask_sample"]
        else:
            assert result["reward"] == expected[result["id"]]
    assert answer["summary"]["scored"] > 0
    healed = service.score(batch(rows))
    assert {r["id"]: r["reward"] for r in healed["results"]} == expected


def test_the_deadline_answers_every_item_and_keeps_what_was_done(service: LiveService) -> None:
    sleeper = "```python\nimport time\ntime.sleep(5)\n```"
    rows = [(f"sleep-{i}", "python", f"{sleeper}\n{i}") for i in range(8)]
    rows += [row for row in completions(64) if row[1] in ("sum", "thought")]
    began = time.monotonic()
    answer = service.score(batch(rows, deadline_ms=4_000))
    took_s = time.monotonic() - began
    assert took_s < 12  # a hang guard; the deadline is 4 s
    for result in answer["results"]:
        if result["id"].startswith("sleep"):
            assert result["reward"] is None
            assert result["error"]["code"] == "deadline_exceeded"
        else:
            assert result["status"] == "scored"


def test_the_same_work_is_done_once(service: LiveService) -> None:
    rows = [(f"copy-{i}", "python", RIGHT_PYTHON) for i in range(64)]
    answer = service.score(batch(rows))
    assert answer["rewards"] == [1.0] * 64
    assert [r["components"]["code"]["cached"] for r in answer["results"]] == [False] + [True] * 63


def test_a_service_killed_with_9_leaves_nothing_behind(tmp_path: Path) -> None:
    before = {c.id for c in _containers()}
    with live_service(tmp_path, sandbox_slots=3) as doomed:
        doomed.score(batch(list(completions(8))))
        owners = Counter(c.labels["rulegrade.sandbox"] for c in _containers() if c.id not in before)
        mine = [owner for owner, count in owners.items() if count == 3]
        assert mine
        doomed.process.kill()
    deadline = time.monotonic() + 60
    while (left := _owned_by(mine)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not left


def test_after_sigterm_the_request_in_flight_is_answered(tmp_path: Path) -> None:
    rows = [(f"n-{i}", "python", f"{RIGHT_PYTHON}\n{i}") for i in range(200)]
    with live_service(tmp_path) as leaving:
        answers: list[dict[str, Any]] = []
        sender = threading.Thread(target=lambda: answers.append(leaving.score(batch(rows))))
        sender.start()
        time.sleep(0.3)
        leaving.process.send_signal(signal.SIGTERM)
        sender.join(60)
        assert leaving.process.wait(60) == 0
        assert answers[0]["rewards"] == [1.0] * 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{leaving.url}/livez", timeout=10)


def _owners() -> set[str]:
    return {container.labels["rulegrade.sandbox"] for container in _containers()}


def _owned_by(owners: list[str]) -> list[str]:
    return [c.id for c in _containers() if c.labels["rulegrade.sandbox"] in owners]


def _containers() -> list[Any]:
    client = docker.from_env()
    try:
        labelled: dict[str, Any] = {"label": "rulegrade.sandbox"}
        # One may be removed between being listed and being looked at.
        return list(client.containers.list(all=True, filters=labelled, ignore_removed=True))
    finally:
        client.close()
