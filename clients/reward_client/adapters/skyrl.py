"""
SkyRL-gym's environment of one step.

    entry_point = "reward_client.adapters.skyrl:RewardService"
    skyrl_gym.register(id="reward_service", entry_point=entry_point)

with `environment.env_class=reward_service`. The row's `reward_spec` holds `ground_truth`, and may
hold `verifiers`. A step without a reward raises: SkyRL cannot leave one out.
"""

from typing import Any

from skyrl_gym.envs.base_text_env import (
    BaseTextEnv,
    BaseTextEnvStepOutput,
)

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import reward, shared_remote


class RewardService(BaseTextEnv):  # type: ignore[misc]  # its base is Any where it is not installed
    """Scores the first action and is done."""

    def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None) -> None:
        super().__init__()
        given = extras or {}
        self._row = dict(given.get("reward_spec") or {})
        self._source = given.get("data_source")
        self._prompt = given.get("prompt")
        self._remote = shared_remote(env_config if isinstance(env_config, dict) else {})

    def step(self, action: str) -> BaseTextEnvStepOutput:
        """The reward of `action`. SkyRL steps in threads, so these calls travel together."""
        item = item_of(
            action,
            self._row,
            self._remote.verifiers,
            prompt=self._prompt,
            data_source=self._source,
        )
        result = self._remote.score_one(item)
        verdicts = {name: part["verdict"] for name, part in result["components"].items()}
        return BaseTextEnvStepOutput(
            observations=[], reward=reward(result), done=True, metadata={"verdicts": verdicts}
        )
