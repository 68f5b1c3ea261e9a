"""Many processes, one queue: an API that does no work itself, and workers that may die at it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service
from tests.live_worker import LiveWorker, live_worker

LEASE_S = 1.0
MATH = [{"name": "math"}]


def items(count: int, salt: str = "") -> list[dict[str, Any]]:
    """Right where the number is even; all different."""
    return [
        {
            "id": str(number),
            "completion": f"{salt} {number}: \\boxed{{{number + number % 2}}}",
            "ground_truth": str(number),
            "verifiers": MATH,
        }
        for number in range(count)
    ]


def expected(count: int) -> list[float]:
    return [1.0 - number % 2 for number in range(count)]


@contextmanager
def service_with_workers(
    directory: Path, redis_url: str, *, workers: int, lease_s: float = LEASE_S
) -> Iterator[tuple[LiveService, list[LiveWorker]]]:
    """An API and its workers, joined by one Redis."""
    with ExitStack() as running:
        joined = [
            running.enter_context(live_worker(directory, redis_url=redis_url, lease_s=lease_s))
            for _ in range(workers)
        ]
        api = live_service(directory, redis_url=redis_url, sandbox_backend="off")
        yield running.enter_context(api), joined


def test_rewards_come_from_workers_that_joined_by_the_url_of_redis(
    tmp_path: Path, redis_url: str
) -> None:
    with service_with_workers(tmp_path, redis_url, workers=2) as (service, workers):
        answer = service.score({"items": items(200)})
        assert answer["rewards"] == expected(200)
        for worker in workers:
            assert httpx.get(f"{worker.url}/readyz", timeout=30).json()["queue"] == "ok"


def test_killed_workers_cost_no_item_and_no_reward(tmp_path: Path, redis_url: str) -> None:
    rounds = 4
    with service_with_workers(tmp_path, redis_url, workers=1) as (service, _):
        stop = threading.Event()

        def ask(round_: int) -> dict[str, Any]:
            return service.score({"items": items(300, f"round {round_}"), "deadline_ms": 120_000})

        def kill() -> int:
            kills = 0
            while not stop.is_set() and kills < 4:
                with live_worker(tmp_path, redis_url=redis_url, lease_s=LEASE_S) as doomed:
                    time.sleep(0.3)
                    doomed.process.kill()
                    kills += 1
            return kills

        with ThreadPoolExecutor() as pool:
            killer = pool.submit(kill)
            answers = list(pool.map(ask, range(rounds)))
            stop.set()
            assert killer.result() > 0
    for answer in answers:
        assert answer["rewards"] == expected(300)


def test_a_worker_that_is_told_to_stop_hands_in_what_it_has(tmp_path: Path, redis_url: str) -> None:
    with service_with_workers(tmp_path, redis_url, workers=2, lease_s=30) as (service, workers):
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(service.score, {"items": items(500)})
            time.sleep(0.3)
            workers[0].process.terminate()
            began = time.monotonic()
            assert asked.result()["rewards"] == expected(500)
            assert time.monotonic() - began < 25  # nothing waited for a lease to run out
        assert workers[0].process.wait(timeout=60) == 0


def test_without_workers_the_service_is_not_ready_and_items_are_errors(
    tmp_path: Path, redis_url: str
) -> None:
    with service_with_workers(tmp_path, redis_url, workers=1) as (service, (worker,)):
        worker.process.kill()
        worker.process.wait()
        answer = service.score({"items": items(2), "deadline_ms": 1_000})
        assert answer["rewards"] == [None, None]
        assert {r["error"]["code"] for r in answer["results"]} == {"deadline_exceeded"}
        deadline = time.monotonic() + 60
        while (ready := httpx.get(f"{service.url}/readyz", timeout=30)).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert ready.json()["parts"]["pool"].startswith("down")
        figures = httpx.get(f"{service.url}/metrics", timeout=30).text
        joined = [line for line in figures.splitlines() if line.startswith("rulegrade_workers{")]
        assert joined == ['rulegrade_workers{kind="pool"} 0.0']  # programs are off: none is missed


def test_programs_are_errors_at_once_where_they_are_switched_off(
    tmp_path: Path, redis_url: str
) -> None:
    code = {"name": "code", "params": {"tests": [{"input": "1", "output": "1"}]}}
    item = {"id": "code", "completion": "```python\nprint(1)\n```", "verifiers": [code]}
    with service_with_workers(tmp_path, redis_url, workers=1) as (service, _):
        answer = service.score({"items": [item, *items(2)], "deadline_ms": 600_000})
    assert answer["rewards"] == [None, *expected(2)]
    assert answer["results"][0]["error"]["code"] == "sandbox_unavailable"


@pytest.mark.parametrize(
    ("verb", "settings", "said"),
    [
        pytest.param("worker", {}, "redis_url", id="worker-without-queue"),
        pytest.param("serve", {"redis_url": "nonsense"}, "redis_url", id="no-url"),
    ],
)
def test_what_cannot_start_says_why(verb: str, settings: dict[str, str], said: str) -> None:
    env = {f"RULEGRADE_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "reward_service", verb],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
