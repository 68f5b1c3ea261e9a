"""
Our losses beside TRL's and verl's own functions; `pytest -m peers` with RULEGRADE_PEERS set.

RULEGRADE_PEERS names the Python of an environment with both:
    pip install torch trl==1.16.0 ray tensordict omegaconf codetiming orjson
    pip install --no-deps verl==0.9.1
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer.advantages import advantages
from grpo_trainer.core import Objective, policy_loss, token_weights

pytestmark = pytest.mark.peers

EXAMPLE = json.loads(Path(__file__).with_name("worked_example.json").read_text())
GSPO = Objective("gspo", clip_low=3e-4, clip_high=4e-4, aggregation="sequence_mean")
OURS = {
    "trl grpo": Objective(aggregation="sequence_mean"),
    "trl grpo kl": Objective(aggregation="sequence_mean", beta=0.04),
    "trl dapo": Objective(clip_high=0.28),
    "trl dr_grpo": Objective(aggregation="constant", max_length=8),
    "trl gspo": GSPO,
    "trl cispo": Objective(policy_loss="cispo", clip_low=1, clip_high=4),
    "verl grpo": Objective(aggregation="sequence_mean"),
    "verl dapo": Objective(clip_high=0.28),
    "verl dual": Objective(dual_clip=3.0),
    "verl gspo": GSPO,
    "verl cispo": Objective(policy_loss="cispo"),
}
TOLERANCE = 1e-7  # verl adds 1e-8 to its denominators


def given() -> torch.Tensor:
    rewards = torch.tensor([EXAMPLE["rewards"]], dtype=torch.float64)
    return advantages("grpo", rewards, rewards >= 0, torch.ones(1, 4), eps=1e-6)[0]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    python = os.environ.get("RULEGRADE_PEERS")
    if not python:
        pytest.skip("RULEGRADE_PEERS names no Python with TRL and verl")
    script = Path(__file__).with_name("peer_functions.py")
    asked = json.dumps({**EXAMPLE, "given_advantages": given().tolist()})
    ended = subprocess.run([python, script], input=asked, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", OURS)
def test_loss_and_gradient_are_theirs(name: str, theirs: dict[str, Any]) -> None:
    names = ("lp", "old", "ref", "mask")
    lp, old, ref, mask = (torch.tensor(EXAMPLE[n], dtype=torch.float64) for n in names)
    lp.requires_grad_()
    objective = OURS[name]
    weights = token_weights(mask, objective.aggregation, max_length=objective.max_length)
    loss = policy_loss(lp, old, ref, given(), mask, weights, objective=objective).value
    loss.backward()
    assert loss.item() == pytest.approx(theirs["losses"][name]["loss"], abs=TOLERANCE)
    gradient = torch.tensor(theirs["losses"][name]["gradient"], dtype=torch.float64)
    assert (lp.grad - gradient).abs().max() < TOLERANCE


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "rloo"])
def test_advantages_are_theirs(name: str, theirs: dict[str, Any]) -> None:
    rewards = torch.tensor([EXAMPLE["rewards"]], dtype=torch.float64)
    found = advantages(name, rewards, rewards >= 0, torch.ones(1, 4), eps=1e-6)[0]
    expected = torch.tensor(theirs["advantages"][name], dtype=torch.float64)
    assert (found - expected).abs().max() < TOLERANCE
