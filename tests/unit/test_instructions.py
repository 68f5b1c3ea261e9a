"""IFEval's vocabulary: one text that follows and one that breaks each instruction."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reward_service.verdicts import Verdict
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.instructions import INSTRUCTIONS, Instructions

DATA = Path(__file__).parents[1] / "data"
CASES = [json.loads(line) for line in (DATA / "instructions.jsonl").read_text("utf-8").splitlines()]


def rule(*cases: dict[str, Any], scoring: str = "all") -> Instructions:
    ids, kwargs = [case["id"] for case in cases], [case["kwargs"] for case in cases]
    params = {"instruction_id_list": ids, "kwargs": kwargs, "scoring": scoring}
    return Instructions.model_validate_json(json.dumps(params))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_following_passes_and_breaking_does_not(case: dict[str, Any]) -> None:
    thought = "<think>Any, THOUGHT.</think>"
    assert rule(case)(Attempt(thought + case["follows"])).verdict is Verdict.CORRECT, case["why"]
    score = rule(case)(Attempt(thought + case["breaks"]))
    assert score.verdict is Verdict.WRONG_ANSWER, case["why"]
    assert score.details["broken"] == [case["id"]]


def test_every_instruction_has_a_case() -> None:
    assert sorted(INSTRUCTIONS) == sorted(case["id"] for case in CASES)


def test_fraction_scores_the_share_followed() -> None:
    comma, title = CASES[-1], CASES[16]
    score = rule(comma, title, scoring="fraction")(Attempt("No title here."))
    assert score.value == 0.5


def test_nothing_said_is_no_answer() -> None:
    assert rule(CASES[-1])(Attempt("<think>t</think>")).verdict is Verdict.NO_ANSWER


def test_null_arguments_are_absent_ones() -> None:
    case = {"id": "punctuation:no_comma", "kwargs": {"num_words": None, "relation": None}}
    assert rule(case)(Attempt("Fine.")).value == 1.0


@pytest.mark.parametrize(
    ("ids", "kwargs"),
    [
        pytest.param(["keywords:exists"], [{}], id="unknown-instruction"),
        pytest.param(["keywords:existence"], [{}], id="missing-argument"),
        pytest.param(["keywords:existence"], [{"keyword": "a"}], id="unknown-argument"),
        pytest.param(["punctuation:no_comma"], [], id="arguments-missing"),
        pytest.param([], [], id="nothing-asked"),
    ],
)
def test_impossible_parameters_are_refused(ids: list[str], kwargs: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        Instructions(instruction_id_list=ids, kwargs=kwargs)
