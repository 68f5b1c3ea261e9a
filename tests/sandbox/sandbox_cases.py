"""Reads the labelled cases of tests/data."""

import json
from pathlib import Path
from typing import Any

from sandbox import Checker, Limits, Program, Submission, TestCase, parse_checker

DATA = Path(__file__).parents[1] / "data"

Row = dict[str, Any]

CHECKERS = {
    "default": Checker(),
    "exact": Checker("exact"),
    "float:1e-6": parse_checker({"name": "floats", "abs": 1e-6, "rel": 1e-6}),
}
"""The corpora's names of checkers."""


def read(name: str) -> list[Row]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def submission_of(row: Row) -> Submission:
    """A row of code_attacks.jsonl or code_honest.jsonl."""
    tests = row.get("tests") or [row]
    return Submission(
        Program(row["language"], row["source"]),
        tuple(TestCase(test["input"].encode(), test["output"].encode()) for test in tests),
        limits=Limits(**row["limits"]),
    )


def stdin_submission(source: str, language: str, task: Row) -> Submission:
    return Submission(
        Program(language, source),
        tuple(TestCase(t["input"].encode(), t["output"].encode()) for t in task["tests"]),
        checker=CHECKERS[task.get("checker", "default")],
        limits=Limits(
            cpu_s=task.get("time_limit_s", 2.0), memory_mb=task.get("memory_limit_mb", 256)
        ),
    )
