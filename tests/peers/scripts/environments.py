"""SkyRL-gym's environment, AReaL's wrapper and Atropos' registry call the adapters."""

import asyncio
import json
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

RIGHT, WRONG = "It is \\boxed{4}.", "It is \\boxed{5}."


def skyrl() -> Any:
    """A registered environment takes one step."""
    import skyrl_gym

    entry_point = "reward_client.adapters.skyrl:RewardService"
    skyrl_gym.register(id="reward_service", entry_point=entry_point)

    def step(text: str, label: str) -> Any:
        extras = {"reward_spec": {"ground_truth": label}}
        made = skyrl_gym.make("reward_service", env_config={}, extras=extras)
        made.init([{"role": "user", "content": "What is 8/2?"}])
        return made.step(text)["reward"]

    return ask(step)


def areal() -> Any:
    """AsyncRewardWrapper calls the function in its pool of processes.

    The package's own `__init__` imports its servers, which need a GPU's libraries; it is left out.
    """
    package = types.ModuleType("areal")
    package.__path__ = [str(Path(sysconfig.get_paths()["purelib"]) / "areal")]
    sys.modules["areal"] = package
    from areal.api.reward_api import AsyncRewardWrapper

    from reward_client.adapters.areal import reward_fn

    wrapped = AsyncRewardWrapper(reward_fn)

    def call(text: str, label: str) -> Any:
        return asyncio.run(wrapped("What is 8/2?", text, [1], [2], answer=label))

    return ask(call)


def atropos() -> Any:
    """The registry makes the function by its name."""
    from atroposlib.envs.reward_fns.registry import registry

    import reward_client.adapters.atropos

    function = registry.create("rulegrade")
    assert isinstance(function, reward_client.adapters.atropos.RulegradeReward)
    return ask(lambda text, label: function([text], solution=[label])[0])


def ask(call: Callable[[str, str], Any]) -> list[Any]:
    """A right answer, a wrong one, and one that cannot be scored."""
    told: list[Any] = [call(RIGHT, "4"), call(WRONG, "4")]
    try:
        told.append(call(RIGHT, "(("))
    except Exception as error:  # which one is what is asked for
        told.append(type(error).__name__)
    return told


if __name__ == "__main__":
    trainers = {"skyrl": skyrl, "areal": areal, "atropos": atropos}
    print("RESULT " + json.dumps(trainers[sys.argv[2]]()))
