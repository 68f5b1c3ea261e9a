"""The first thing a newcomer sees: the example batch through the real service, and its table."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_service import LiveService, live_service

SENDER = Path(__file__).parents[2] / "examples/run_batch.py"


def send(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, SENDER, *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def mathematics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service"), sandbox_backend="off") as running:
        yield running


def test_every_verdict_of_the_example_batch_is_the_expected_one(
    tmp_path: Path, docker_engine: None
) -> None:
    with live_service(tmp_path) as running:
        ended = send("--url", running.url)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "Every verdict is the expected one." in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        pytest.param("correct", 0, id="as-expected"),
        pytest.param(["correct", "error"], 0, id="one-of-those-allowed"),
        pytest.param("wrong_answer", 1, id="another-one"),
        pytest.param("skipped", 1, id="not-skipped"),
    ],
)
def test_a_verdict_that_differs_fails_the_command(
    mathematics: LiveService, tmp_path: Path, expected: str | list[str], status: int
) -> None:
    task = {"id": "t", "prompt": "2+2?", "ground_truth": "4", "verifiers": [{"name": "math"}]}
    item = {"id": "t-0", "task_id": "t", "completion": "\\boxed{4}"}
    lines = [{"task": task}, {"item": item, "expected": {"math": expected}}]
    file = tmp_path / "batch.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    ended = send(str(file), "--url", mathematics.url)
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert ("t-0: math is correct" in ended.stdout) is bool(status)


def test_without_a_service_there_is_no_table() -> None:
    ended = send("--url", "http://127.0.0.1:9")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "http://127.0.0.1:9" in ended.stderr
