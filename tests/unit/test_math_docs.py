"""The table of policies in docs/math.md says what the verifier does."""

import re
from pathlib import Path

import pytest

from reward_service.verifiers.math import Policy, verify

DOCS = Path(__file__).parents[2] / "docs" / "math.md"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| `([^`]+)` \| `([^`]+)` \| (\w+) \| (\w+) \|$", re.M)
ROWS = ROW.findall(DOCS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "value", "gold", "answer", "default", "changed"), ROWS)
def test_each_row_holds(
    name: str, value: str, gold: str, answer: str, default: str, changed: str
) -> None:
    policy: object = {"true": True, "false": False}.get(value, value)
    assert verify(gold, answer).answer == default
    assert verify(gold, answer, **{name: policy}).answer == changed


def test_every_policy_has_a_row() -> None:
    assert {row[0] for row in ROWS} == set(Policy.model_fields)
