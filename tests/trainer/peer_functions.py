"""
TRL's or verl's own functions on the worked example; run in the environment of either.

Reads the example from standard input; writes losses with their gradients, and advantages. No model
is loaded: TRL's loss is a method, called here with a stand-in for its trainer.
"""

import json
import sys
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

LENGTH = 8
PLAIN, HIGHER, NARROW = (0.2, 0.2), (0.2, 0.28), (3e-4, 4e-4)


class Alone:
    """TRL's accelerator, for one process."""

    num_processes = 1

    def gather(self, value: Any) -> Any:
        return value

    def reduce(self, value: Any, reduction: str = "sum") -> Any:
        return value


def verl_config(low: float, high: float, *, dual: float) -> Any:
    """verl's configuration of an actor without the fields that have no default."""
    from verl.workers.config import ActorConfig

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
    from trl import GRPOTrainer

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
    from verl.trainer.ppo import core_algos as algorithms

    lp, old, _, mask = tensors(example)
    a = torch.tensor(example["given_advantages"], dtype=torch.float64).unsqueeze(1) * mask
    function = getattr(algorithms, f"compute_policy_loss_{name}")
    loss, _ = function(old, lp, a, mask, mode, verl_config(*bounds, dual=dual))
    return told(loss, lp)


def told(loss: Any, lp: Any) -> Any:
    loss.backward()
    return {"loss": loss.item(), "gradient": lp.grad.tolist()}


def verl_advantages(example: Any) -> Any:
    from verl.trainer.ppo import core_algos as algorithms

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


def trl(example: Any) -> Any:
    losses = {
        "trl grpo": trl_loss(example, "grpo", 0.0, "token", PLAIN),
        "trl grpo kl": trl_loss(example, "grpo", 0.04, "token", PLAIN),
        "trl dapo": trl_loss(example, "dapo", 0.0, "token", HIGHER),
        "trl dr_grpo": trl_loss(example, "dr_grpo", 0.0, "token", PLAIN),
        "trl gspo": trl_loss(example, "grpo", 0.0, "sequence", NARROW),
        "trl cispo": trl_loss(example, "cispo", 0.0, "token", (0.0, 5.0)),
    }
    return {"losses": losses}


def verl(example: Any) -> Any:
    losses = {
        "verl grpo": verl_loss(example, "vanilla", "seq-mean-token-mean", PLAIN),
        "verl dapo": verl_loss(example, "vanilla", "token-mean", HIGHER),
        "verl dual": verl_loss(example, "vanilla", "token-mean", PLAIN, 3.0),
        "verl gspo": verl_loss(example, "gspo", "seq-mean-token-mean", NARROW),
        "verl cispo": verl_loss(example, "cispo", "token-mean", PLAIN),
    }
    return {"losses": losses, "advantages": verl_advantages(example)}


if __name__ == "__main__":
    peer = {"trl": trl, "verl": verl}[sys.argv[1]]
    json.dump(peer(json.load(sys.stdin)), sys.stdout)
