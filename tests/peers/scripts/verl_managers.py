"""
verl's reward managers call the adapter, loaded as the example's configuration loads it.

    verl_managers.py URL

Prints what each manager makes of a right and a wrong answer, and of one that cannot be scored.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl import DataProto
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
from verl.trainer.ppo.reward import get_custom_reward_fn

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RIGHT = "The answer is \\boxed{4}."
WRONG = "The answer is \\boxed{5}."


class Characters:
    """A tokenizer of one code point a token."""

    eos_token = ""

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return "".join(chr(number) for number in ids.tolist() if number)


def configuration(url: str) -> Any:
    """The example's, as a run composes it, with another address and rule."""
    with initialize_config_dir(str(EXAMPLES), version_base=None):
        config = compose("verl_grpo")
    kwargs = {"url": url, "on_error": "raise", "verifiers": {"*": [{"name": "math"}]}}
    changes = {
        "custom_reward_function.reward_kwargs": kwargs,
        "timeout": 60.0,
        "max_concurrent": 8,
    }
    for name, value in changes.items():
        OmegaConf.update(config, f"reward.{name}", value, merge=False, force_add=True)
    return config


def sample(text: str, truth: str) -> DataProto:
    """One trajectory."""
    ids = torch.tensor([[ord(char) for char in text]])
    prompt = torch.tensor([[ord("?")]])
    batch = {
        "responses": ids,
        "prompts": prompt,
        "attention_mask": torch.ones(1, ids.shape[1] + 1, dtype=torch.long),
    }
    others = {
        "data_source": np.array(["gsm8k"], dtype=object),
        "reward_model": np.array([{"ground_truth": truth}], dtype=object),
        "extra_info": np.array([{"index": 0}], dtype=object),
    }
    return DataProto(batch=TensorDict(batch, batch_size=[1]), non_tensor_batch=others)


async def main(url: str) -> dict[str, Any]:
    """Ask every manager."""
    config = configuration(url)
    function = get_custom_reward_fn(config)
    told: dict[str, Any] = {}
    for name in ("naive", "dapo", "rate_limited"):
        kind = get_reward_manager_cls(name)
        kind.init_class(config, Characters())
        manager = kind(config=config, tokenizer=Characters(), compute_score=function)
        told[name] = [await manager.run_single(sample(text, "4")) for text in (RIGHT, WRONG)]
        if name == "naive":
            try:
                told["failed"] = await manager.run_single(sample(RIGHT, "(("))
            except Exception as error:  # which one is what is asked for
                told["failed"] = type(error).__name__
    return told


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(sys.argv[1])), default=str))
