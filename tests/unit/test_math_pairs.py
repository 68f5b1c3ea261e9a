"""Pairs of reference and answer, and the answers written to fool or hang a grader."""

import json
from pathlib import Path
from typing import Any

import pytest

from reward_service.verdicts import Failure, Score
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.math import Math, verify

DATA = Path(__file__).parents[1] / "data"


def cases(name: str) -> list[Any]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [
        pytest.param(case, id=f"{number}-{case.get('why') or case['kind']}")
        for number, case in enumerate(map(json.loads, lines), 1)
    ]


@pytest.mark.parametrize("case", cases("math_pairs.jsonl"))
def test_pairs_are_told_apart_as_mathematics_has_it(case: dict[str, Any]) -> None:
    decision = verify(case["gold"], case["answer"], **case["policy"])
    assert decision.is_equal is case["equal"], decision


@pytest.mark.parametrize("case", cases("math_adversarial.jsonl"))
def test_answers_written_to_fool_the_grader_earn_nothing(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where an answer that got executed would leave its file
    outcome = Math()(Attempt(case["pred"], ground_truth=(case["gold"],)))
    assert not list(tmp_path.iterdir())
    if not case["gold"].strip():
        assert isinstance(outcome, Failure)
        return
    assert isinstance(outcome, Score)
    if not case["policy"]:  # rows with a policy are a matter of parameters
        assert (outcome.value == 1.0) is case["label"], outcome
