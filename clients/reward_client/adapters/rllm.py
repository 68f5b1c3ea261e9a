"""
rLLM's reward function, `reward_client.adapters.rllm.reward_fn`, and its evaluator's file form.

    AgentTrainer(..., reward_fn=reward_fn)
"""

from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import is_correct, reward, shared_remote
from reward_client.wire import Result


def reward_fn(task_info: dict[str, Any], action: Any) -> Any:
    """rLLM's RewardOutput for one action. Raises where there is no reward."""
    from rllm.rewards.reward_types import (
        RewardOutput,
    )

    result = _score(task_info, getattr(action, "action", action))
    return RewardOutput(
        reward=reward(result), is_correct=is_correct(result), metadata=_told(result)
    )


def evaluate(metadata: dict[str, Any], trajectory: Any) -> dict[str, Any]:
    """For `tests/evaluate.py` of a task: the reward of a trajectory's last answer."""
    last = trajectory[-1] if isinstance(trajectory, list) else trajectory
    text = last.get("content", "") if isinstance(last, dict) else str(last)
    result = _score(metadata, text)
    return {"reward": reward(result), "is_correct": is_correct(result), "signals": _told(result)}


def _score(row: dict[str, Any], text: str) -> Result:
    remote = shared_remote({})
    prompt = row.get("question") or row.get("problem")
    source = row.get("data_source")
    return remote.score_one(item_of(text, row, remote.verifiers, prompt=prompt, data_source=source))


def _told(result: Result) -> dict[str, Any]:
    return {name: part["score"] for name, part in result["components"].items()}
