"""The language rule: shares on labelled text, what is neutral, and what cannot hide."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.verdicts import Failure, Outcome, Score, Skip, Verdict
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.language import Language
from reward_service.verifiers.language.words import tally

DATA = Path(__file__).parents[1] / "data"
LABELLED = [json.loads(line) for line in (DATA / "language.jsonl").read_text("utf-8").splitlines()]
RULES = [
    json.loads(line) for line in (DATA / "language_rules.jsonl").read_text("utf-8").splitlines()
]
ENGLISH = "<think>We add the two numbers together and then we divide.</think>4"


def outcome_of(case: dict[str, Any]) -> Outcome:
    rule = Language.model_validate({"target": case["target"], **case.get("params", {})})
    return rule(Attempt(case["text"], think_prefilled=case.get("prefilled", False)))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RULES])
def test_shares_follow_the_stated_rules(case: dict[str, Any]) -> None:
    outcome = outcome_of(case)
    assert isinstance(outcome, Score), outcome
    assert outcome.value == pytest.approx(case["share"], abs=0.05), case["why"]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in LABELLED if case["share"] is None]
)
def test_text_without_words_is_skipped(case: dict[str, Any]) -> None:
    assert isinstance(outcome_of(case), Skip)


def test_labelled_shares_are_met() -> None:
    errors = []
    for case in LABELLED:
        outcome = outcome_of(case)
        if isinstance(outcome, Score):
            errors.append(abs(outcome.value - case["share"]))
    assert len(errors) == 197  # eight rows are neutral, three have fewer than five words
    assert sum(error <= 0.1 for error in errors) >= 196
    assert sum(errors) / len(errors) <= 0.005


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(case["text"], id=case["id"])
        for case in LABELLED
        if case["kind"] == "mono" and case["id"] in {"L001", "L007", "L013", "L031"}
    ],
)
def test_prompt_names_the_target(text: str) -> None:
    outcome = Language()(Attempt(f"<think>{text}</think>", prompt=text))
    assert isinstance(outcome, Score)
    assert outcome.value >= 0.95


@pytest.mark.parametrize(
    ("prompt", "outcome_type"),
    [
        pytest.param(None, Failure, id="no-prompt-is-our-callers-mistake"),
        pytest.param("$1+1=?$", Skip, id="formula-has-no-language"),
    ],
)
def test_without_a_target_nothing_is_scored(prompt: str | None, outcome_type: type) -> None:
    assert isinstance(Language()(Attempt(ENGLISH, prompt=prompt)), outcome_type)


@pytest.mark.parametrize(
    ("threshold", "text", "value", "verdict"),
    [
        pytest.param(None, ENGLISH, 1.0, Verdict.CORRECT, id="share"),
        pytest.param(0.5, ENGLISH, 1.0, Verdict.CORRECT, id="above"),
        pytest.param(
            0.5, "我们把两个数字加在一起就得到答案", 0.0, Verdict.FORMAT_ERROR, id="below"
        ),
        pytest.param(None, "", 0.0, Verdict.NO_ANSWER, id="empty"),
    ],
)
def test_score_is_the_share_or_the_threshold(
    threshold: float | None, text: str, value: float, verdict: Verdict
) -> None:
    outcome = Language(target="en", threshold=threshold)(Attempt(text))
    assert isinstance(outcome, Score)
    assert (outcome.value, outcome.verdict) == (value, verdict)


def test_foreign_spans_are_offsets_into_the_completion() -> None:
    text = "<think>We add the two numbers, 然后乘以二, and that is the answer we need.</think>4"
    outcome = Language(target="en")(Attempt(text))
    assert isinstance(outcome, Score)
    (span,) = outcome.details["foreign"]
    assert text[span["start"] : span["end"]] == "然后乘以二"
    assert span["language"] == "zh"


def test_shares_are_the_same_in_another_process() -> None:
    """Another hash seed and another order of first sight must not move a share."""
    cases = LABELLED[60:]
    program = (
        "import json, sys\n"
        "from reward_service.verifiers.language.words import tally\n"
        "cases = json.load(sys.stdin)\n"
        "print([sorted(tally(c['text'], c['target']).units.items()) for c in cases[::-1]][::-1])"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    here = [sorted(tally(case["text"], case["target"]).units.items()) for case in cases]
    assert other.stdout.strip() == repr(here)


@given(st.text(alphabet='ab你の한дई `$\\[]()#"“”\n\x00\ufffd.{}<>', max_size=300))
def test_any_text_gets_an_outcome_with_a_share_between_0_and_1(text: str) -> None:
    outcome = Language(target="en")(Attempt(text))
    assert isinstance(outcome, Skip) or (isinstance(outcome, Score) and 0 <= outcome.value <= 1)
