"""The reward is the weighted sum of what counts, or null; asked over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

RIGHT = "<think>Six times seven is forty two, I am sure.</think><answer>\\boxed{42}</answer>"
WRONG = RIGHT.replace("\\boxed{42}", "\\boxed{41}")
UNTAGGED = "Six times seven is forty two. \\boxed{42}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("combination")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as running:
        yield running


def score(service: LiveService, completion: str, verifiers: Any, **fields: Any) -> dict[str, Any]:
    item = {
        "id": "a",
        "prompt": "What is six times seven? Put the answer in a box.",
        "ground_truth": "42",
        "completion": completion,
        "verifiers": verifiers,
        **fields,
    }
    result: dict[str, Any] = service.score({"items": [item]})["results"][0]
    return result


MATH, FORMAT = {"name": "math"}, {"name": "format"}


@pytest.mark.parametrize(
    ("completion", "verifiers", "reward"),
    [
        pytest.param(RIGHT, [MATH, FORMAT], 2.0, id="both"),
        pytest.param(WRONG, [MATH, FORMAT], 1.0, id="format-alone"),
        pytest.param(RIGHT, [MATH | {"weight": 0.25}, FORMAT | {"weight": -1.0}], -0.75, id="sum"),
        pytest.param(RIGHT, [MATH, FORMAT | {"weight": 0.0}], 1.0, id="reported-but-not-paid"),
        pytest.param(RIGHT, [MATH, FORMAT | {"gate": "math"}], 2.0, id="gate-passed"),
        pytest.param(WRONG, [MATH, FORMAT | {"gate": "math"}], 0.0, id="gate-not-passed"),
        pytest.param(
            UNTAGGED, [MATH | {"gate": "format"}, FORMAT | {"weight": 0.0}], 0.0, id="format-gates"
        ),
        pytest.param(RIGHT, "r1-zero", 2.0, id="r1-zero"),
        pytest.param(UNTAGGED, "r1-zero", 1.0, id="r1-zero-untagged"),
        pytest.param(RIGHT, "r1", 3.0, id="r1"),
    ],
)
def test_the_reward_is_the_weighted_sum_of_what_counts(
    service: LiveService, completion: str, verifiers: Any, reward: float
) -> None:
    result = score(service, completion, verifiers)
    assert result["status"] == "scored"
    assert result["reward"] == reward
    assert not result["mask_sample"]


def test_a_component_that_does_not_apply_leaves_the_sum(service: LiveService) -> None:
    language = {"name": "language", "params": {"target": "en"}}
    result = score(service, "<think>$1+1$</think>\\boxed{42}", [MATH, language])
    assert result["components"]["language"]["status"] == "skipped"
    assert result["reward"] == 1.0


def test_an_item_to_which_nothing_applies_is_skipped_and_masked(service: LiveService) -> None:
    language = {"name": "language", "params": {"target": "en"}}
    result = score(service, "$1+1$", [language])
    assert (result["status"], result["reward"], result["mask_sample"]) == ("skipped", None, True)


@pytest.mark.parametrize(
    ("verifiers", "reward"),
    [
        pytest.param([MATH, FORMAT], None, id="weighted"),
        pytest.param([MATH | {"weight": 0.0}, FORMAT], 1.0, id="only-reported"),
        pytest.param([MATH | {"weight": 0.0}, FORMAT | {"gate": "math"}], None, id="as-a-gate"),
    ],
)
def test_our_failure_makes_the_reward_null_where_it_matters(
    service: LiveService, verifiers: Any, reward: float | None
) -> None:
    result = score(service, RIGHT, verifiers, ground_truth="((")
    assert result["components"]["math"]["status"] == "error"
    assert result["components"]["math"]["error"]["code"] == "gold_unparseable"
    assert result["reward"] == reward
    assert result["mask_sample"] is (reward is None)


def test_code_without_a_sandbox_is_an_error_and_never_a_number(service: LiveService) -> None:
    code = {"name": "code", "params": {"tests": [{"input": "", "output": "1\n"}]}}
    result = score(service, "```python\nprint(1)\n```", [code])
    assert (result["status"], result["reward"]) == ("error", None)
    assert result["error"]["code"] == "sandbox_unavailable"


@pytest.mark.parametrize("gate", ["format", "language"])
def test_a_gate_must_name_another_verifier_of_the_list(service: LiveService, gate: str) -> None:
    item = {"id": "a", "completion": RIGHT, "verifiers": [FORMAT | {"gate": gate}]}
    answer = httpx.post(f"{service.url}/v1/rewards", json={"items": [item]})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "items.0.verifiers.0.gate"
