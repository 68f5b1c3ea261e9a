"""Reads the labelled cases of tests/data."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from sandbox import Limits, Program, Submission, TestCase

DATA = Path(__file__).parents[1] / "data"

Row = dict[str, Any]


def read(name: str) -> list[Row]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def need_language(row: Row, languages: Collection[str]) -> None:
    """Skip a row whose language this host has not, or not whole."""
    if row["language"] not in languages:
        pytest.skip(f"this host has no whole {row['language']}")


def submission_of(row: Row) -> Submission:
    """A hostile program or an honest one."""
    return Submission(
        Program(row["language"], row["source"]),
        tuple(
            TestCase(test["input"].encode(), test["output"].encode())
            for test in row.get("tests", [row])
        ),
        limits=Limits(**row["limits"]),
    )


def read_attacks() -> list[Row]:
    """Hostile programs; `category` is what they are after, the name of their file."""
    files = sorted((DATA / "attacks").glob("*.jsonl"))
    return [
        {**row, "category": file.stem} for file in files for row in read(f"attacks/{file.name}")
    ]
