"""
torchforge's and torchtitan's reward callables.

torchforge: `reward_functions=[forge_reward]`. torchtitan: `TitanReward()` as the rubric's RewardFn.
"""

from typing import Any

from reward_client.adapters.labels import GROUND_TRUTHS, item_of
from reward_client.adapters.remote import RemoteRewards, reward, shared_remote


def forge_reward(prompt: str, response: str, target: Any) -> float:
    """The reward of one response. Raises where there is none."""
    remote = shared_remote({})
    item = item_of(response, {"target": target}, remote.verifiers, prompt=prompt)
    return reward(remote.score_one(item))


class TitanReward:
    """Awaited with a rollout and the environment's input; `options` are those of RemoteRewards."""

    def __init__(self, **options: Any) -> None:
        self._remote = RemoteRewards(**options)

    async def __call__(self, rollout: Any, env_input: Any) -> float:
        """The reward of a rollout's text. Raises where there is none."""
        row = {
            name: getattr(env_input, name)
            for name in (*GROUND_TRUTHS, "verifiers")
            if getattr(env_input, name, None) is not None
        }
        text = getattr(rollout, "response", None) or rollout.completion
        return reward(
            await self._remote.score_one_async(item_of(text, row, self._remote.verifiers))
        )
