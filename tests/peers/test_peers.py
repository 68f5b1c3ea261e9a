"""What real trainers make of a live service, see conftest.py."""

from pathlib import Path
from typing import Any

import pytest

from tests.live_service import LiveService, live_service
from tests.peers.conftest import Peer

pytestmark = pytest.mark.peers


def steps(told: dict[str, Any]) -> list[dict[str, float]]:
    """The log of each training step."""
    return [entry for entry in told["history"] if "rewards/length/mean" in entry]


def test_trl_takes_steps(peer: Peer, service: LiveService) -> None:
    told = peer("trl", "trl_steps.py", service.url, "3", "mask")
    assert told["steps"] == 3
    logged = steps(told)
    assert len(logged) == 3
    assert all(entry["length/not_scored"] == 0.0 for entry in logged)
    assert any(entry["rewards/length/mean"] > 0 for entry in logged)
    assert any(entry["grad_norm"] > 0 for entry in logged)


def test_the_trl_example_trains(peer: Peer, service: LiveService) -> None:
    told = peer("trl", "trl_example.py", service.url)
    assert {"rewards/math/mean", "rewards/format/mean"} <= set(told)


@pytest.fixture
def mortal(peers: Path, tmp_path: Path) -> Any:
    with live_service(tmp_path, sandbox_backend="off", pool_workers=1) as running:
        yield running


def test_trl_masks_the_steps_after_the_service_was_killed(peer: Peer, mortal: LiveService) -> None:
    told = peer("trl", "trl_steps.py", mortal.url, "3", "mask", str(mortal.process.pid))
    first, *others = steps(told)
    assert first["length/not_scored"] == 0.0
    assert len(others) == 2
    for entry in others:
        assert entry["length/not_scored"] == 1.0
        assert entry["rewards/length/mean"] is None  # no number at all, and no 0
        assert entry["grad_norm"] == 0.0  # nothing was learnt from it


def test_trl_ends_where_it_is_told_to_raise(peer: Peer, mortal: LiveService) -> None:
    told = peer("trl", "trl_steps.py", mortal.url, "3", "raise", str(mortal.process.pid))
    assert told == {"error": "Unreachable", "steps": 1}


def test_verl_scores_programs_at_128_requests_at_once(peer: Peer, service: LiveService) -> None:
    told = peer("verl", "verl_sandbox.py", service.url)
    assert told["alone"] == [1.0, 0.5, 1.0]
    assert told["crowd"] == [1.0] * 128


def test_verl_managers_take_the_adapter(peer: Peer, service: LiveService) -> None:
    told = peer("verl", "verl_managers.py", service.url)
    assert told.pop("failed") == "NotScored"
    assert set(told) == {"naive", "dapo", "rate_limited"}
    for right, wrong in told.values():
        assert right["reward_score"] == 1.0
        assert wrong["reward_score"] == 0.0
        assert right["reward_extra_info"].keys() == wrong["reward_extra_info"].keys()


def test_openrlhf_executor_is_rewarded(peer: Peer, service: LiveService) -> None:
    right, wrong, failed, by_function = peer("verl", "openrlhf_executor.py", service.url)
    assert right["reward"] == by_function["reward"] == [1.0]
    assert wrong["reward"] == [0.0]
    marks = [one["extra_logs"]["infra_error"] for one in (right, wrong, failed)]
    assert marks == [[0.0], [0.0], [1.0]]


def test_verifiers_v1_verifies_and_calls_the_adapter(peer: Peer, service: LiveService) -> None:
    told = peer("verifiers", "verifiers_taskset.py", service.url)
    assert told["taskset"] == [{"nemo_gym": 1.0}, {"nemo_gym": 0.0}, "TaskError"]
    assert told["plugged"] == [{"rulegrade": 1.0}, {"rulegrade": 0.0}, "TaskError"]


def test_rubrics_before_v1_score_rollouts_and_groups(peer: Peer, service: LiveService) -> None:
    told = peer("verifiers_legacy", "rubric_legacy.py", service.url)
    assert told["single"] == pytest.approx(1.1)
    assert told["metrics"] == {"math": 1.0, "format": 1.0}
    assert told["group"] == pytest.approx([1.1, 0.0])
    assert told["failed"] == "NotScored"


def test_nemo_gym_verifies_and_masks(peer: Peer, service: LiveService) -> None:
    told = peer("nemo_gym", "nemo_gym_client.py", service.url)
    assert told["seeded"] == {}
    assert told["rewards"] == [1.0, 0.0, 0.0]
    assert told["masked"] == [False, False, True]
    assert told["mean"] == 0.5
    assert told["mode"] == "stateless"


def test_the_sandbox_fusion_package_runs_programs(peer: Peer, service: LiveService) -> None:
    told = peer("clients", "sandbox_fusion_client.py", service.url)
    outputs = [["Success", "3\n"], ["Success", "3"], ["Failed", None]]
    assert told["alone"][:3] == outputs
    assert [status for status, _ in told["alone"][3:]] == ["Failed", "Failed"]
    assert told["crowd"] == [["Success", "3\n"]] * 16


def test_the_openai_package_runs_graders(peer: Peer, service: LiveService) -> None:
    told = peer("clients", "openai_sdk.py", service.url)
    assert told == {"rewards": [1.0, 0.5], "failed": [False, False], "validated": "equal"}


@pytest.mark.parametrize("trainer", ["skyrl", "areal", "atropos"])
def test_environments_call_the_adapters(peer: Peer, service: LiveService, trainer: str) -> None:
    told = peer("environments", "environments.py", service.url, trainer)
    assert told == [1.0, 0.0, "NotScored"]
