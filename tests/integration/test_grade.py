"""`rulegrade grade FILE.jsonl`: the command, its files, its exit status."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def grade(file: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "reward_service", "grade", str(file), *flags]
    return subprocess.run(
        [*command, "--sandbox-backend", "off", "--pool-workers", "1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(file: Path, rows: list[Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def results(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_flat_rows_are_graded_in_order(tmp_path: Path) -> None:
    rows = [{"completion": f"\\boxed{{{i}}}", "ground_truth": str(i % 3)} for i in range(200)]
    done = grade(write(tmp_path / "answers.jsonl", rows))
    assert done.returncode == 0, done.stderr
    graded = results(tmp_path / "answers.rewards.jsonl")
    assert [r["id"] for r in graded] == [f"line-{i}" for i in range(1, 201)]
    assert [r["index"] for r in graded] == list(range(200))
    assert [r["reward"] for r in graded] == [1.0 if i < 3 else 0.0 for i in range(200)]
    assert "mean reward  0.0150  (n=200)" in done.stdout
    assert "math wrong_answer" in done.stdout
    assert "200/200" in done.stderr  # the progress bar


def test_tasks_items_and_numbers_as_references(tmp_path: Path) -> None:
    task = {"id": "p", "ground_truth": "4", "verifiers": [{"name": "math"}, {"name": "format"}]}
    tagged = "<think>Two and two make four.</think><answer>4</answer>"
    rows = [
        {"task": task},
        {"item": {"id": "in-task", "task_id": "p", "completion": tagged}},
        {"id": "bare", "task_id": "p", "completion": "\\boxed{4}"},
        {"completion": "\\boxed{4}", "ground_truth": 4},
        {"completion": "half a pair \ud800 \\boxed{4}", "ground_truth": "4"},
    ]
    out = tmp_path / "out.jsonl"
    done = grade(write(tmp_path / "mixed.jsonl", rows), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert [r["reward"] for r in results(out)] == [2.0, 1.0, 1.0, 1.0]
    assert results(out)[3]["flags"] == ["invalid_unicode"]


def test_other_columns_of_a_flat_row_come_back_as_metadata(tmp_path: Path) -> None:
    row = {"completion": "\\boxed{1}", "ground_truth": "1", "source": "aime", "step": 3}
    assert grade(write(tmp_path / "rows.jsonl", [row])).returncode == 0
    assert results(tmp_path / "rows.rewards.jsonl")[0]["metadata"] == {"source": "aime", "step": 3}


def test_references_can_be_checked_alone(tmp_path: Path) -> None:
    rows = [{"completion": "\\boxed{1}", "ground_truth": gold} for gold in ("1", "", "((")]
    done = grade(write(tmp_path / "rows.jsonl", rows), "--check-gold")
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if "gold_unparseable" in line]
    assert [line.split(":")[0] for line in told] == ["line 2", "line 3"]
    assert not (tmp_path / "rows.rewards.jsonl").exists()
    done = grade(write(tmp_path / "fine.jsonl", rows[:1]), "--check-gold")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("out", "told"),
    [
        pytest.param("rows.jsonl", "--out: is the file that is read", id="the-file-itself"),
        pytest.param("no/such/place", "--out: cannot be written", id="no-such-directory"),
    ],
)
def test_results_that_cannot_be_written_are_told_first(tmp_path: Path, out: str, told: str) -> None:
    file = write(tmp_path / "rows.jsonl", [{"completion": "\\boxed{1}", "ground_truth": "1"}])
    before = file.read_text()
    done = grade(file, "--out", str(tmp_path / out))
    assert done.returncode == 2
    assert done.stderr.startswith(f"rulegrade: {told}")
    assert file.read_text() == before


@pytest.mark.parametrize(("share", "status"), [("0.4", 1), ("0.5", 0)])
def test_too_many_errors_fail_the_command(tmp_path: Path, share: str, status: int) -> None:
    rows = [
        {"completion": "\\boxed{1}", "ground_truth": "1"},
        {"completion": "\\boxed{1}", "ground_truth": ""},
    ]
    done = grade(write(tmp_path / "rows.jsonl", rows), "--max-error-share", share)
    assert done.returncode == status, done.stdout + done.stderr
    assert "gold_unparseable" in done.stdout
    assert [r["reward"] for r in results(tmp_path / "rows.rewards.jsonl")] == [1.0, None]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param('{"completion": ', "line 2: is not JSON", id="not-json"),
        pytest.param("[1]", "line 2: is not a JSON object", id="not-an-object"),
        pytest.param('{"completion": 5}', "line 2: completion", id="wrong-type"),
        pytest.param('{"completion": "x"}', "line 2: ground_truth", id="no-reference"),
        pytest.param(
            '{"completion": "x", "verifiers": [{"name": "format", "weigth": 2}]}',
            "line 2: verifiers.listed.0.weigth",
            id="typo",
        ),
        pytest.param('{"id": "line-1", "completion": "x"}', "same id as in line 1", id="twice"),
        pytest.param('{"completion": "x", "task_id": "q"}', "line 2: task_id", id="no-task"),
    ],
)
def test_a_line_that_cannot_be_graded_is_named_before_anything_is_written(
    tmp_path: Path, line: str, told: str
) -> None:
    file = write(tmp_path / "rows.jsonl", [{"completion": "\\boxed{1}", "ground_truth": "1"}])
    file.write_text(file.read_text() + line + "\n")
    done = grade(file)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "rows.rewards.jsonl").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = grade(tmp_path / "nothing.jsonl")
    assert done.returncode == 2
    assert "nothing.jsonl" in done.stderr
