"""Whole steps of the trainer: it learns, masks, resumes and says when it disagrees with itself."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer import checkpoint
from grpo_trainer.config import Config, build
from grpo_trainer.core import Objective
from grpo_trainer.evaluate import Protocol
from grpo_trainer.learn import DriftError
from grpo_trainer.run import HeldOut, run
from grpo_trainer.runlog import read_metrics
from grpo_trainer.train import Trainer
from tests.trainer.worlds_for_tests import (
    CONFIG,
    PROBLEMS,
    TOKENIZER,
    config,
    fingerprint,
    policy,
    result,
    sevens,
)

Json = Mapping[str, Any]
KL = Objective(beta=0.05)


def trainer(given: Config = CONFIG, score: Any = sevens) -> Trainer:
    return Trainer(given, policy(), TOKENIZER, PROBLEMS, score)


def steps(one: Trainer, count: int) -> list[dict[str, float]]:
    return [one.run_step()[0] for _ in range(count)]


def test_a_policy_learns_what_is_rewarded() -> None:
    one = trainer(config(steps=30, group_size=8))
    rewards = [stats["reward"] for stats in steps(one, 30)]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.4


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(Objective(aggregation="token_mean"), id="token-mean"),
        pytest.param(Objective(aggregation="sequence_mean", beta=0.05), id="sequence-mean-kl"),
        pytest.param(Objective(policy_loss="gspo", aggregation="sequence_mean"), id="gspo"),
    ],
)
def test_the_size_of_micro_batches_does_not_change_a_step(objective: Objective) -> None:
    def gradient_norms(size: int) -> list[float]:
        one = trainer(config(microbatch=size, objective=objective))
        return [stats["gradient_norm"] for stats in steps(one, 2)]

    assert gradient_norms(1) == pytest.approx(gradient_norms(16), rel=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(config(), id="plain"),
        pytest.param(config(objective=KL, reference_every=2, reference_mix=0.6), id="reference"),
        pytest.param(config(one_batch_behind=True, decay=True), id="one-batch-behind"),
        pytest.param(config(refills=2), id="dynamic-sampling"),
    ],
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(given: Config, tmp_path: Path) -> None:
    whole = trainer(given)
    steps(whole, 6)
    first = trainer(given)
    steps(first, 3)
    place = checkpoint.save(first, tmp_path)
    second = trainer(given)
    checkpoint.restore(second, place)
    steps(second, 3)
    assert second.step == 6
    assert fingerprint(second.policy) == fingerprint(whole.policy)


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    given = config(checkpoint_every=2, evaluate_every=2)
    held_out = HeldOut(PROBLEMS[:3], Protocol(samples=2, max_new_tokens=6))
    calls = 0

    def failing(items: Sequence[Json], tasks: Mapping[str, Json]) -> list[dict[str, Any]]:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise ConnectionError
        return sevens(items, tasks)

    with pytest.raises(ConnectionError):
        run(trainer(given, failing), tmp_path / "a", held_out=held_out)
    resumed, whole = trainer(given), trainer(given)
    run(resumed, tmp_path / "a", held_out=held_out)
    run(whole, tmp_path / "b", held_out=held_out)
    assert fingerprint(resumed.policy) == fingerprint(whole.policy)
    for kind, expected in (("train", [*range(6)]), ("evaluation", [0, 2, 4, 6])):
        rows = [read_metrics(tmp_path / name, kind) for name in ("a", "b")]
        assert [row["step"] for row in rows[0]] == expected
        assert [row.get("pass_1") for row in rows[0]] == [row.get("pass_1") for row in rows[1]]


def test_evaluating_changes_no_training(tmp_path: Path) -> None:
    held_out = HeldOut(PROBLEMS[:3], Protocol(samples=2, max_new_tokens=6))
    watched, alone = trainer(config(evaluate_every=1)), trainer()
    run(watched, tmp_path / "watched", held_out=held_out)
    run(alone, tmp_path / "alone")
    assert fingerprint(watched.policy) == fingerprint(alone.policy)


def test_without_any_reward_the_policy_stays_as_it_is() -> None:
    one = trainer(score=lambda items, tasks: [result(None) for _ in items])
    before = fingerprint(one.policy)
    stats = steps(one, 2)
    assert stats[0]["scored_share"] == 0
    assert fingerprint(one.policy) == before


def test_a_completion_without_a_reward_is_left_out_and_counted() -> None:
    """A chunk of 8 completions loses every third; its scored ones still teach."""

    def failing(items: Sequence[Json], tasks: Mapping[str, Json]) -> list[dict[str, Any]]:
        scored = sevens(items, tasks)
        return [result(None) if n % 3 == 2 else one for n, one in enumerate(scored)]

    one = trainer(score=failing)
    before = fingerprint(one.policy)
    assert steps(one, 1)[0]["scored_share"] == pytest.approx(12 / 16)
    assert fingerprint(one.policy) != before


@pytest.mark.parametrize("factor", [1.1, float("nan")])
def test_a_rollout_that_its_policy_would_not_have_drawn_is_an_error(factor: float) -> None:
    def tampering(items: Sequence[Json], tasks: Mapping[str, Json]) -> list[dict[str, Any]]:
        with torch.no_grad():
            one.policy.embedding.weight.mul_(factor)
        return sevens(items, tasks)

    one = trainer(config(chunks=1), tampering)
    with pytest.raises(DriftError, match="between rollout and training"):
        one.run_step()


def test_the_drift_of_every_step_on_policy_is_rounding() -> None:
    assert max(stats["drift"] for stats in steps(trainer(), 6)) < 1e-4


def test_one_batch_behind_hides_a_slow_reward_and_says_how_stale_it_is() -> None:
    slow_s = 0.3

    def slow(items: Sequence[Json], tasks: Mapping[str, Json]) -> list[dict[str, Any]]:
        time.sleep(slow_s)
        return sevens(items, tasks)

    behind = steps(trainer(config(one_batch_behind=True), slow), 4)
    assert [stats["staleness"] for stats in behind] == [0, 2, 2, 2]
    assert behind[0]["drift"] < 1e-4 < behind[2]["drift"]


def test_the_reference_follows_the_policy_when_it_is_refreshed() -> None:
    given = config(objective=KL, minibatches=1, reference_every=2)
    kl = [stats["kl"] for stats in steps(trainer(given), 4)]
    assert kl[0] == pytest.approx(0, abs=1e-9)
    assert kl[1] > 1e-5
    assert kl[2] == pytest.approx(0, abs=1e-9)


def test_dynamic_sampling_replaces_groups_that_teach_nothing() -> None:
    def coin(items: Sequence[Json], tasks: Mapping[str, Json]) -> list[dict[str, Any]]:
        return [result(float(item["completion"].startswith("7"))) for item in items]

    plain = steps(trainer(config(learning_rate=0.0), coin), 3)
    refilled = steps(trainer(config(learning_rate=0.0, refills=20), coin), 3)
    assert min(stats["dead_groups"] for stats in plain) > 0
    assert max(stats["dead_groups"] for stats in refilled) == 0


def test_when_no_group_teaches_the_policy_stays_as_it_is() -> None:
    one = trainer(config(refills=2), lambda items, tasks: [result(1.0) for _ in items])
    before = fingerprint(one.policy)
    (stats,) = steps(one, 1)
    assert stats["groups"] == 0
    assert one.position == 3 * CONFIG.prompts_per_step
    assert fingerprint(one.policy) == before


def test_two_processes_take_the_steps_of_one() -> None:
    """The script compares; its status says whether the ranks agree with one process."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--standalone", "-m", "tests.trainer.two_ranks"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ranks agree" in ended.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"learning_rat": 1e-6}, "unknown: learning_rat", id="typo"),
        pytest.param({"objective": {"betta": 1}}, "unknown: betta", id="typo-below"),
        pytest.param({"group_size": 1}, "no baseline", id="group-of-one"),
        pytest.param({"one_batch_behind": True, "refills": 1}, "refills", id="refills-and-lag"),
        pytest.param({"sampling": {"top_p": 0.9}}, "top_p", id="top-p"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(given)
