"""
Accuracy on the labelled pairs, where they are at hand.

RULEGRADE_TEST_DATA names the folder; `../shared/data` is looked into otherwise.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reward_service.verdicts import Score
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.math import Math

FOLDER = Path(os.environ.get("RULEGRADE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def strict_rows() -> list[dict[str, Any]]:
    """Pairs whose label holds under every policy and that nobody doubts."""
    path = FOLDER / "math_cases.jsonl"
    if not path.exists():
        pytest.skip(f"needs the labelled pairs: {path} is not there")
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if not row["suspect"] and not row["policy"]]


def is_rewarded(row: dict[str, Any]) -> bool:
    completion = row["pred"] if row["form"] == "response" else rf"\boxed{{{row['pred']}}}"
    outcome = Math()(Attempt(completion, ground_truth=(row["gold"],)))
    assert isinstance(outcome, Score), outcome
    return outcome.value == 1.0


def test_wrong_answers_earn_nothing(strict_rows: list[dict[str, Any]]) -> None:
    assert [row["id"] for row in strict_rows if not row["label"] and is_rewarded(row)] == []


def test_right_answers_are_recognised(strict_rows: list[dict[str, Any]]) -> None:
    right = [row for row in strict_rows if row["label"]]
    missed = [row["id"] for row in right if not is_rewarded(row)]
    assert len(missed) <= 0.005 * len(right), missed
