"""The maths of GRPO against numbers worked out elsewhere, and what must not change them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer.advantages import (
    ADVANTAGES,
    advantages,
    informative,
    overlong_penalty,
)
from grpo_trainer.core import (
    AGGREGATIONS,
    Objective,
    batch_totals,
    clipped_surrogate,
    is_clipped,
    kl,
    pick,
    policy_loss,
    token_weights,
)

EXAMPLE = json.loads(Path(__file__).with_name("worked_example.json").read_text())
TOLERANCE = 1e-9
Case = dict[str, Any]


def tensor(name: str) -> Any:
    return torch.tensor(EXAMPLE[name], dtype=torch.float64)


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in EXAMPLE[name]]


def close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> bool:
    wanted = torch.as_tensor(expected, dtype=torch.float64)
    return bool((found - wanted).abs().max() <= tolerance)


def example_advantages(name: str = "grpo", eps: float = 1e-6, **options: Any) -> Any:
    rewards = torch.tensor([options.pop("rewards", EXAMPLE["rewards"])], dtype=torch.float64)
    scored = torch.ones_like(rewards, dtype=torch.bool)
    lengths = tensor("mask").sum(dim=1).unsqueeze(0)
    return advantages(name, rewards, scored, lengths, eps=eps, **options).squeeze(0)


def example_loss(case: Case, *, split: int = 4) -> tuple[Any, Any]:
    """Loss and gradient of the example, in micro-batches of `split` completions."""
    objective = Objective(**case["objective"])
    lp, old, ref, mask = (tensor(name) for name in ("lp", "old", "ref", "mask"))
    lp.requires_grad_()
    a = example_advantages(case.get("advantages", "grpo"))
    weights = token_weights(mask, objective.aggregation, max_length=objective.max_length)
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(mask), split):
        part = slice(start, start + split)
        loss = policy_loss(
            lp[part], old[part], ref[part], a[part], mask[part], weights[part], objective=objective
        )
        loss.value.backward()
        total += loss.value.detach()
    return total, lp.grad


@pytest.mark.parametrize("case", cases("advantages"))
def test_advantages_are_those_of_the_worked_example(case: Case) -> None:
    options = {key: case[key] for key in ("ddof", "eps", "rewards") if key in case}
    tolerance = case.get("tolerance", TOLERANCE)
    assert close(example_advantages(case["name"], **options), case["expected"], tolerance)


def test_batch_std_is_taken_over_all_groups() -> None:
    rewards = torch.tensor([[1.0, 0, 0, 0], [1, 1, 1, 0]], dtype=torch.float64)
    found = advantages("batch_std", rewards, rewards >= 0, torch.ones_like(rewards))
    high, low = 1.4028590691, 0.4676196897
    assert close(found, [[high, -low, -low, -low], [low, low, low, -high]])


@pytest.mark.parametrize("case", cases("losses"))
def test_losses_are_those_of_the_worked_example(case: Case) -> None:
    loss, _ = example_loss(case)
    assert close(loss, case["expected"])


@pytest.mark.parametrize("case", cases("gradients"))
def test_gradients_are_those_of_the_worked_example(case: Case) -> None:
    _, gradient = example_loss(case)
    assert close(gradient, case["expected"])


@pytest.mark.parametrize("split", [1, 2, 3])
@pytest.mark.parametrize("case", cases("losses"))
def test_no_split_into_micro_batches_changes_loss_or_gradient(case: Case, split: int) -> None:
    loss, gradient = example_loss(case)
    split_loss, split_gradient = example_loss(case, split=split)
    assert close(split_loss, loss, 1e-15)
    assert torch.equal(split_gradient, gradient)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_ranks_that_share_their_totals_weigh_as_one_process(aggregation: str) -> None:
    mask = tensor("mask")
    whole = token_weights(mask, aggregation, max_length=8)
    parts = [
        token_weights(part, aggregation, max_length=8, totals=batch_totals(mask))
        for part in mask.split(2)
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_k3_of_every_token_and_its_means() -> None:
    mask = tensor("mask")
    value = kl(tensor("lp"), tensor("ref")) * mask
    assert close(value, EXAMPLE["k3"])
    for aggregation, expected in EXAMPLE["mean_k3"].items():
        assert close((value * token_weights(mask, aggregation)).sum(), expected)


@pytest.mark.parametrize(
    ("estimator", "difference", "expected"),
    [
        pytest.param("k1", -1.0, -1.0, id="k1-may-be-negative"),
        pytest.param("k2", -1.0, 0.5, id="k2"),
        pytest.param("k3", 0.1, 0.004837418, id="k3"),
        pytest.param("k3", -0.1, 0.0051709181, id="k3-is-not-symmetric"),
        pytest.param("k3", 1.0, 0.3678794412, id="k3-likelier"),
        pytest.param("k3", -1.0, 0.7182818285, id="k3-less-likely"),
        pytest.param("k3", -3.0, 16.0855369232, id="k3-is-not-limited"),
    ],
)
def test_kl_estimators(estimator: str, difference: float, expected: float) -> None:
    lp = torch.tensor([difference], dtype=torch.float64)
    assert close(kl(lp, torch.zeros_like(lp), estimator=estimator), [expected])


def test_a_limited_kl_has_no_gradient_above_its_limit() -> None:
    lp = torch.tensor([-3.0], dtype=torch.float64, requires_grad=True)
    value = kl(lp, torch.zeros(1, dtype=torch.float64), limit=10.0)
    value.sum().backward()
    assert value.item() == 10.0
    assert lp.grad is not None
    assert lp.grad.item() == 0.0


@pytest.mark.parametrize(
    ("ratio", "advantage", "clipped"),
    [
        pytest.param(1.5, 1.0, True, id="good-and-likelier"),
        pytest.param(0.5, 1.0, False, id="good-and-rarer"),
        pytest.param(0.5, -1.0, True, id="bad-and-rarer"),
        pytest.param(1.5, -1.0, False, id="bad-and-likelier"),
        pytest.param(4.0, -1.0, True, id="bad-and-much-likelier-is-dual-clipped"),
    ],
)
def test_clipped_is_what_gives_no_gradient(ratio: float, advantage: float, clipped: bool) -> None:
    r = torch.tensor([ratio], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([advantage], dtype=torch.float64)
    clipped_surrogate(r, a, low=0.2, high=0.2, dual=3.0).sum().backward()
    assert r.grad is not None
    assert (r.grad.item() == 0.0) is clipped
    assert is_clipped(r, a, low=0.2, high=0.2, dual=3.0).item() is clipped


@pytest.mark.parametrize("name", ADVANTAGES)
def test_an_unscored_completion_changes_nothing_but_its_own_part(name: str) -> None:
    rewards = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]], dtype=torch.float64)
    lengths = torch.tensor([[4, 2, 3], [2, 5, 3]])
    scored = torch.ones_like(rewards, dtype=torch.bool)
    alone = advantages(name, rewards, scored, lengths)
    unscored = torch.tensor([[torch.nan], [99.0]], dtype=torch.float64)
    beside = advantages(
        name,
        torch.cat([rewards, unscored], dim=1),
        torch.cat([scored, torch.zeros(2, 1, dtype=torch.bool)], dim=1),
        torch.cat([lengths, torch.tensor([[7], [7]])], dim=1),
    )
    assert torch.equal(beside[:, :3], alone)
    assert torch.equal(beside[:, 3], torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("name", [name for name in ADVANTAGES if name != "reinforce_pp"])
def test_a_group_of_one_teaches_nothing(name: str) -> None:
    rewards = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    scored = torch.tensor([[True, False], [True, False]])
    found = advantages(name, rewards, scored, torch.ones(2, 2))
    assert torch.equal(found, torch.zeros(2, 2))


def test_a_picked_out_completion_leaves_loss_and_normaliser() -> None:
    mask = tensor("mask")
    keep = torch.tensor([True, False, True, True])
    for aggregation in AGGREGATIONS:
        weights = token_weights(pick(mask, keep), aggregation, max_length=8)
        without = token_weights(mask[keep], aggregation, max_length=8)
        assert torch.equal(weights[keep], without)
        assert weights[1].sum() == 0


def test_dynamic_sampling_keeps_groups_whose_scored_rewards_differ() -> None:
    rewards = torch.tensor([[1.0, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    scored = torch.tensor([[True] * 3, [True] * 3, [True, True, False], [False] * 3])
    assert informative(rewards, scored).tolist() == [False, True, False, False]


def test_overlong_punishment_is_linear_over_its_buffer() -> None:
    lengths = torch.tensor([16_384, 18_432, 20_480, 30_000])
    found = overlong_penalty(lengths, max_length=20_480, buffer=4_096)
    assert found.tolist() == [0.0, -0.5, -1.0, -1.0]


@pytest.mark.parametrize("kind", ["advantages", "aggregation", "kl", "policy_loss"])
def test_an_unknown_name_is_refused_with_the_known_ones(kind: str) -> None:
    one = torch.ones(1, 1)
    calls: dict[str, Callable[[], Any]] = {
        "advantages": lambda: advantages("best", one, one > 0, one),
        "aggregation": lambda: token_weights(one, "best"),
        "kl": lambda: kl(one, one, estimator="best"),
        "policy_loss": lambda: policy_loss(
            one, one, None, one[0], one, one, objective=Objective(policy_loss="best")
        ),
    }
    with pytest.raises(ValueError, match=r"unknown .*known: "):
        calls[kind]()
