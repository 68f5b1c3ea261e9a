"""A world so small that a policy learns in seconds, with a score that needs no service."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from grpo_trainer.config import Config
from grpo_trainer.policy import Shape, TinyPolicy
from grpo_trainer.problems import Problem
from grpo_trainer.rollout import Sampling
from grpo_trainer.tokens import PieceTokenizer

TOKENIZER = PieceTokenizer([*"0123456789", "=", "+"])
PROBLEMS = [
    Problem(f"p{n}", f"{n}+" if n % 3 else f"{n}=", {"verifiers": [{"name": "sevens"}]})
    for n in range(12)
]
CONFIG = Config(
    steps=6,
    prompts_per_step=4,
    group_size=4,
    minibatches=2,
    microbatch=8,
    chunks=2,
    learning_rate=3e-3,
    sampling=Sampling(max_new_tokens=6),
)


def policy(seed: int = 0) -> TinyPolicy:
    torch.manual_seed(seed)
    return TinyPolicy(Shape(len(TOKENIZER), width=32, layers=2, heads=2, context=32))


def sevens(
    items: Sequence[Mapping[str, Any]], tasks: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Score the share of sevens, as the service would put it."""
    return [result(item["completion"].count("7") / 6) for item in items]


def result(reward: float | None) -> dict[str, Any]:
    verdict = "correct" if reward else "wrong_answer"
    component: dict[str, Any] = {
        "score": reward,
        "verdict": verdict,
        "reason": "counted",
        "details": {},
    }
    failed = {"code": "sandbox_failed"} if reward is None else None
    return {"reward": reward, "components": {"sevens": component}, "error": failed}


def config(**changes: Any) -> Config:
    return replace(CONFIG, **changes)


def fingerprint(module: torch.nn.Module) -> str:
    """Digest of every weight: equal only bit for bit."""
    digest = hashlib.sha256()
    for weight in module.state_dict().values():
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()
