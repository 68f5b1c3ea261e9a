"""The `math` verifier as the service calls it: a completion and references in, an outcome out."""

import pytest

from reward_service.verdicts import Failure, Score, Verdict
from reward_service.verifiers.base import Attempt
from reward_service.verifiers.math import Math

CORRECT, WRONG, NONE = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.NO_ANSWER


def score(completion: str, *gold: str, prompt: str | None = None, prefilled: bool = False) -> Score:
    outcome = Math()(Attempt(completion, prompt, gold, think_prefilled=prefilled))
    assert isinstance(outcome, Score)
    assert outcome.value == (1.0 if outcome.verdict is CORRECT else 0.0)
    return outcome


@pytest.mark.parametrize(
    ("completion", "gold", "verdict"),
    [
        pytest.param(r"So it is \boxed{0.5}.", "1/2", CORRECT, id="box"),
        pytest.param(r"\fbox{7}", "7", CORRECT, id="framed-box"),
        pytest.param("<think>2</think><answer>7</answer>", "7", CORRECT, id="answer-block"),
        pytest.param("The final answer is $7$.", "7", CORRECT, id="stated"),
        pytest.param("#### 7", "7", CORRECT, id="gsm8k-marker"),
        pytest.param(r"first \boxed{42}, then \boxed{7}", "7", CORRECT, id="last-box-counts"),
        pytest.param(r"first \boxed{7}, then \boxed{42}", "7", WRONG, id="first-box-does-not"),
        pytest.param(r"<think>\boxed{7}</think> \boxed{8}", "7", WRONG, id="thought-does-not"),
        pytest.param(r"<think>\boxed{7}", "7", NONE, id="thought-never-closed"),
        pytest.param(r"\boxed{7}\boxed{}", "7", NONE, id="empty-last-box"),
        pytest.param(r"so \boxed{7} or \boxed{8}", "8", WRONG, id="two-boxes-hedged"),
        pytest.param(r"\boxed{7}. Alternatively \boxed{8}", "8", WRONG, id="alternative-hedged"),
        pytest.param(r"roots \boxed{1} and \boxed{2}", "1, 2", CORRECT, id="two-boxes-a-list"),
        pytest.param(r"\boxed{\sqrt{2}} \approx \boxed{1.41}", r"\sqrt 2", CORRECT, id="approx"),
        pytest.param(r"\boxed{\frac{1}{2", r"\frac{1}{2}", NONE, id="cut-off-in-the-box"),
        pytest.param("", "7", NONE, id="nothing"),
        pytest.param("% \\boxed{7}\nI give up.", "7", WRONG, id="latex-comment"),
        pytest.param(r"\boxed{7 \text{ or } 8}", "7", WRONG, id="several-candidates"),
        pytest.param(r"\boxed{8=7}", "7", WRONG, id="false-equation-chain"),
        pytest.param(r"\boxed{3+4=7}", "7", CORRECT, id="true-equation-chain"),
        pytest.param(r"\boxed{8 \Rightarrow 7}", "7", WRONG, id="implication"),
    ],
)
def test_one_committed_answer_is_graded(completion: str, gold: str, verdict: Verdict) -> None:
    assert score(completion, gold).verdict is verdict


def test_any_reference_suffices() -> None:
    assert score(r"\boxed{2}", "1", "2").verdict is CORRECT


def test_a_copy_of_the_prompt_is_no_answer() -> None:
    prompt = r"What is six times seven? Answer like \boxed{42}."
    assert score(f"{prompt}\nI do not\nknow.", "42", prompt=prompt).verdict is NONE


def test_a_prefilled_thought_that_never_ends_has_no_answer() -> None:
    assert score(r"hence \boxed{7}", "7", prefilled=True).verdict is NONE


def test_details_quote_what_was_compared_and_cut_it() -> None:
    details = score(r"\boxed{" + "1+" * 300 + "1}", "7").details
    assert details["gold"] == "7"
    assert len(details["extracted"]) == 200
    assert details["stage"]


@pytest.mark.parametrize("gold", [(), ("",), ("  ",), (r"\boxed{}",), ("7", "")])
def test_an_unreadable_reference_is_our_failure_whatever_was_answered(
    gold: tuple[str, ...],
) -> None:
    for completion in (r"\boxed{7}", "no idea\nat all"):
        outcome = Math()(Attempt(completion, ground_truth=gold))
        assert isinstance(outcome, Failure)
        assert outcome.stage == "reference"


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="rounding"):
        Math.model_validate({"rounding": "wild"})
