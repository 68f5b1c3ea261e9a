"""The format rule: what passes, what does not, and what it says about it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reward_service.verdicts import Verdict
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.format import Format

DATA = Path(__file__).parents[1] / "data"
LABELLED = [json.loads(line) for line in (DATA / "format.jsonl").read_text("utf-8").splitlines()]
RULES = [json.loads(line) for line in (DATA / "format_rules.jsonl").read_text("utf-8").splitlines()]
WELL_FORMED = "<think>\nTwo and two make four.\n</think>\n<answer>4</answer>"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in LABELLED])
def test_labelled_completions_get_their_label(case: dict[str, Any]) -> None:
    score = Format()(Attempt(case["text"], think_prefilled=case["prefill"]))
    assert score.value == case["ok"], case["what"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RULES])
def test_a_deduction_names_its_reason(case: dict[str, Any]) -> None:
    attempt = Attempt(case["text"], think_prefilled=case.get("prefilled", False))
    score = Format.model_validate_json(json.dumps(case.get("params", {})))(attempt)
    assert score.reason == case["reason"], case["why"]
    assert (score.verdict is Verdict.CORRECT) == (case["reason"] == "well_formed")


@pytest.mark.parametrize(
    ("scoring", "text", "value"),
    [
        pytest.param("strict", WELL_FORMED, 1.0, id="strict-pass"),
        pytest.param("strict", "no tags", 0.0, id="strict-fail"),
        pytest.param("signed", WELL_FORMED, 1.0, id="signed-pass"),
        pytest.param("signed", "no tags", -1.0, id="signed-fail"),
        pytest.param("graded", WELL_FORMED, 1.0, id="graded-pass"),
        pytest.param("graded", "no tags", 0.0, id="graded-none"),
        pytest.param("graded", "<think>t</think>4", 0.25, id="graded-half-the-tags"),
        pytest.param("graded", "<answer>4</answer><think>t</think>", 0.0, id="graded-order"),
        pytest.param("graded", WELL_FORMED + " and", 0.5, id="graded-never-near-full"),
        pytest.param("graded", WELL_FORMED * 50, 0.0, id="graded-spam"),
    ],
)
def test_scoring_shapes(scoring: str, text: str, value: float) -> None:
    assert Format.model_validate({"scoring": scoring})(Attempt(text)).value == value


def test_reasons_and_spans_point_into_the_completion() -> None:
    text = "Sure! " + WELL_FORMED
    details = Format()(Attempt(text)).details
    assert details["passed"] is False
    assert details["reasons"] == [{"code": "text_before", "offset": 0}]
    thought, answer = details["spans"]["thought"], details["spans"]["answer"]
    assert text[slice(*thought)] == "\nTwo and two make four.\n"
    assert text[slice(*answer)] == "4"


def test_a_truncated_completion_is_flagged() -> None:
    assert Format()(Attempt("<think>so", finish_reason="length")).flags == ("truncated",)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"preset": "tags"}, id="tags-preset-without-tags"),
        pytest.param({"tags": [{"name": "plan"}]}, id="tags-without-tags-preset"),
        pytest.param(
            {"preset": "tags", "tags": [{"name": "a"}, {"name": "a"}]}, id="same-tag-twice"
        ),
        pytest.param({"preset": "tags", "tags": [{"name": "a.*"}]}, id="pattern-as-name"),
        pytest.param({"presets": "think_only"}, id="typo"),
    ],
)
def test_impossible_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Format.model_validate_json(json.dumps(params))


@given(st.text(alphabet="<>/thinkanswer \n\x00\u200b＜４\ufffd", max_size=200))
def test_any_text_gets_a_verdict(text: str) -> None:
    score = Format()(Attempt(text))
    assert score.value in (0.0, 1.0)
    assert all(0 <= reason["offset"] <= len(text) for reason in score.details["reasons"])
