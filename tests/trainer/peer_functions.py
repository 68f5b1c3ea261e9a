"""
TRL's and verl's own functions on the worked example; run in an environment that has both.

Reads the example from standard input and writes {"name": {"loss", "gradient"}} and advantages. No
model is loaded: TRL's loss is a method, called here with a stand-in for its trainer.
"""

import json
import sys
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from trl import GRPOTrainer
from verl.trainer.ppo import core_algos as algorithms
from verl.workers.config import ActorConfig

LENGTH = 8


class Alone:
    """TRL's accelerator, for one process."""

    num_processes = 1

    def gather(self, value: Any) -> Any:
        return value

    def reduce(self, value: Any, reduction: str = "sum") -> Any:
        return value


def verl_config(low: float, high: float, *, dual: float) -> Any:
    """verl's configuration of an actor without the fields that have no default."""
    config = ActorConfig.__new__(ActorConfig)
    values = {"clip_ratio": low, "clip_ratio_low": low, "clip_ratio_high": high}
    for name, value in {**values, "clip_ratio_c": dual, "global_batch_info": {}}.items():
        object.__setattr__(config, name, value)
    return config


def tensors(example: Any) -> tuple[Any, ...]:
    names = ("lp", "old", "ref", "mask")
    lp, *others = (torch.tensor(example[name], dtype=torch.float64) for name in names)
    return lp.requires_grad_(), *others


def trl_loss(example: Any, loss_type: str, beta: float, level: str, bounds: Any) -> Any:
    lp, old, ref, mask = tensors(example)
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (lp, torch.zeros_like(lp), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=level,
        beta=beta,
        loss_type=loss_type,
        epsilon_low=bounds[0],
        epsilon_high=bounds[1],
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        use_vllm=False,
        vllm_importance_sampling_correction=False,
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        max_completion_length=LENGTH,
        accelerator=Alone(),
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
    )
    ids = torch.ones_like(mask, dtype=torch.long)
    batch = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": ids[:, :1],
        "completion_ids": ids,
        "completion_mask": mask,
        "advantages": torch.tensor(example["given_advantages"], dtype=torch.float64),
        "old_per_token_logps": old,
        "ref_per_token_logps": ref,
        "num_items_in_batch": mask.sum(),
    }
    return told(GRPOTrainer._compute_loss(trainer, None, batch), lp)


def verl_loss(example: Any, name: str, mode: str, bounds: Any, dual: float = 1e9) -> Any:
    lp, old, _, mask = tensors(example)
    a = torch.tensor(example["given_advantages"], dtype=torch.float64).unsqueeze(1) * mask
    function = getattr(algorithms, f"compute_policy_loss_{name}")
    loss, _ = function(old, lp, a, mask, mode, verl_config(*bounds, dual=dual))
    return told(loss, lp)


def told(loss: Any, lp: Any) -> Any:
    loss.backward()
    return {"loss": loss.item(), "gradient": lp.grad.tolist()}


def verl_advantages(example: Any) -> Any:
    mask = torch.tensor(example["mask"], dtype=torch.float64)
    rewards = torch.zeros_like(mask)
    for row, (reward, length) in enumerate(
        zip(example["rewards"], mask.sum(dim=1).long().tolist(), strict=True)
    ):
        rewards[row, length - 1] = reward
    index = np.array(["p"] * len(mask))
    grpo = algorithms.compute_grpo_outcome_advantage(rewards, mask, index)[0]
    centred = algorithms.compute_grpo_outcome_advantage(
        rewards, mask, index, norm_adv_by_std_in_grpo=False
    )[0]
    rloo = algorithms.compute_rloo_outcome_advantage(rewards, mask, index)[0]
    found = {"grpo": grpo, "dr_grpo": centred, "rloo": rloo}
    return {name: value[:, 0].tolist() for name, value in found.items()}


def main() -> None:
    example = json.load(sys.stdin)
    plain, wide, narrow = (0.2, 0.2), (0.2, 0.28), (3e-4, 4e-4)
    losses = {
        "trl grpo": trl_loss(example, "grpo", 0.0, "token", plain),
        "trl grpo kl": trl_loss(example, "grpo", 0.04, "token", plain),
        "trl dapo": trl_loss(example, "dapo", 0.0, "token", wide),
        "trl dr_grpo": trl_loss(example, "dr_grpo", 0.0, "token", plain),
        "trl gspo": trl_loss(example, "grpo", 0.0, "sequence", narrow),
        "trl cispo": trl_loss(example, "cispo", 0.0, "token", (0.0, 5.0)),
        "verl grpo": verl_loss(example, "vanilla", "seq-mean-token-mean", plain),
        "verl dapo": verl_loss(example, "vanilla", "token-mean", wide),
        "verl dual": verl_loss(example, "vanilla", "token-mean", plain, 3.0),
        "verl gspo": verl_loss(example, "gspo", "seq-mean-token-mean", narrow),
        "verl cispo": verl_loss(example, "cispo", "token-mean", plain),
    }
    json.dump({"losses": losses, "advantages": verl_advantages(example)}, sys.stdout)


if __name__ == "__main__":
    main()
