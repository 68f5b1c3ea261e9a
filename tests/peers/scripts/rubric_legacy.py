"""verifiers before v1: a Rubric scores a rollout and a group at URL."""

import asyncio
import json
import sys
from typing import Any

from reward_client.adapters.verifiers_rubric import service_rubric

RIGHT = "<think>Half of eight is four.</think>\n<answer>4</answer>"


def state(text: str, answer: str) -> dict[str, Any]:
    """A finished rollout."""
    return {
        "prompt": [{"role": "user", "content": "What is 8/2?"}],
        "completion": [{"role": "assistant", "content": text}],
        "answer": answer,
        "info": {},
        "task": "default",
        "trajectory": [],
        "timing": {"scoring_ms": 0.0, "total_ms": 0.0, "generation_ms": 0.0},
    }


async def main(url: str) -> dict[str, Any]:
    """One rollout, a group, and one that cannot be scored."""
    rubric = service_rubric({"math": 1.0, "format": 0.1}, url=url, verifiers="r1-zero")
    single = state(RIGHT, "4")
    await rubric.score_rollout(single)
    group = [state(RIGHT, "4"), state("\\boxed{5}", "4")]
    await rubric.score_group(group)
    try:
        await rubric.score_rollout(state(RIGHT, "(("))
        failed = "nothing raised"
    except Exception as error:  # which one is what is asked for
        failed = type(error).__name__
    return {
        "single": single["reward"],
        "metrics": single["metrics"],
        "group": [one["reward"] for one in group],
        "failed": failed,
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(asyncio.run(main(sys.argv[1]))))
