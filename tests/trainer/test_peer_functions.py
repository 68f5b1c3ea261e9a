"""
Our losses beside TRL's and verl's own functions: `python3 dev.py test --peers`.

They run in the environments that tests/peers/requirements describes.
"""

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer.advantages import advantages
from grpo_trainer.core import Objective, policy_loss, token_weights

pytestmark = pytest.mark.peers

Peer = Callable[[str], Any]

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
def theirs() -> Peer:
    """What a peer's functions say about the example; each peer is asked once."""
    place = os.environ.get("RULEGRADE_TEST_PEERS")
    if not place:
        pytest.skip("opt-in: python3 dev.py test --peers")
    script = Path(__file__).with_name("peer_functions.py")
    asked = json.dumps({**EXAMPLE, "given_advantages": given().tolist()})

    @cache
    def ask(peer: str) -> Any:
        ended = subprocess.run(
            [Path(place, peer, "bin/python"), script, peer],
            input=asked,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return json.loads(ended.stdout.splitlines()[-1])

    return ask


@pytest.mark.parametrize("name", OURS)
def test_loss_and_gradient_are_theirs(name: str, theirs: Peer) -> None:
    names = ("lp", "old", "ref", "mask")
    lp, old, ref, mask = (torch.tensor(EXAMPLE[n], dtype=torch.float64) for n in names)
    lp.requires_grad_()
    objective = OURS[name]
    weights = token_weights(mask, objective.aggregation, max_length=objective.max_length)
    loss = policy_loss(lp, old, ref, given(), mask, weights, objective=objective).value
    loss.backward()
    expected = theirs(name.partition(" ")[0])["losses"][name]
    assert loss.item() == pytest.approx(expected["loss"], abs=TOLERANCE)
    gradient = torch.tensor(expected["gradient"], dtype=torch.float64)
    assert (lp.grad - gradient).abs().max() < TOLERANCE


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "rloo"])
def test_advantages_are_theirs(name: str, theirs: Peer) -> None:
    rewards = torch.tensor([EXAMPLE["rewards"]], dtype=torch.float64)
    found = advantages(name, rewards, rewards >= 0, torch.ones(1, 4), eps=1e-6)[0]
    expected = torch.tensor(theirs("verl")["advantages"][name], dtype=torch.float64)
    assert (found - expected).abs().max() < TOLERANCE
