"""Length, repetition, choice, exact and JSON: values, reasons and faults of the task."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reward_service.verdicts import Failure, Outcome, Score
from reward_service.verifiers import VERIFIERS
from reward_service.verifiers.base import Attempt, Rule

DATA = Path(__file__).parents[1] / "data"
CASES = [json.loads(line) for line in (DATA / "rules.jsonl").read_text("utf-8").splitlines()]


def outcome_of(case: dict[str, Any]) -> Outcome:
    rule = VERIFIERS[case["rule"]].model_validate_json(json.dumps(case.get("params", {})))
    assert isinstance(rule, Rule)
    return rule(Attempt(case["text"], ground_truth=tuple(case.get("gold", ()))))


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if "reason" in case]
)
def test_value_and_reason(case: dict[str, Any]) -> None:
    outcome = outcome_of(case)
    assert isinstance(outcome, Score), outcome
    assert outcome.reason == case["reason"], case["why"]
    assert outcome.value == pytest.approx(case["value"], abs=1e-4), case["why"]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if "error" in case]
)
def test_a_fault_of_the_task_is_no_score(case: dict[str, Any]) -> None:
    outcome = outcome_of(case)
    assert isinstance(outcome, Failure)
    assert outcome.code == case["error"], case["why"]


@pytest.mark.parametrize(
    ("rule", "params"),
    [
        pytest.param("length", {}, id="length-without-limit"),
        pytest.param("length", {"max_length": 5, "buffer": 6}, id="buffer-over-limit"),
        pytest.param("length", {"max_length": 5, "unit": "words", "count": 3}, id="count-of-words"),
        pytest.param("repetition", {"ngram": 0}, id="empty-ngram"),
        pytest.param("repetition", {"max_penalty": 1.0}, id="penalty-that-pays"),
        pytest.param("choice", {"options": {"AB": "x"}}, id="two-letters"),
        pytest.param("json_schema", {"schema": {"type": "strin"}}, id="no-such-type"),
        pytest.param("json_schema", {"schema": {"$ref": "http://a/b"}}, id="reference-outside"),
    ],
)
def test_impossible_parameters_are_refused(rule: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VERIFIERS[rule].model_validate_json(json.dumps(params))


@pytest.mark.parametrize("name", ["choice", "exact", "repetition", "json_schema"])
@given(text=st.text(alphabet='AB()[]{}\\"boxed.,0-e/ \n\x00\ufffd好<answer>', max_size=120))
def test_any_text_gets_a_score(name: str, text: str) -> None:
    rule = VERIFIERS[name]()
    assert isinstance(rule, Rule)
    outcome = rule(Attempt(text, ground_truth=("B",)))
    assert isinstance(outcome, Score)
    assert -1 <= outcome.value <= 1
