"""
Atropos' reward function, registered as `rulegrade`: import this module, then name it.

Atropos' own `__call__` turns an exception into zeros for the whole group; this one lets it out, so
that `collect_trajectories` may drop the group (a group of None is dropped).
"""

from collections.abc import Sequence
from typing import Any

from atroposlib.envs.reward_fns.registry import (
    registry,
)
from atroposlib.envs.reward_fns.reward_function import (
    RewardFunction,
)

from reward_client.adapters.labels import GROUND_TRUTHS, item_of
from reward_client.adapters.remote import RemoteRewards, reward


@registry.register(name="rulegrade")
class RulegradeReward(RewardFunction):  # type: ignore[misc]  # its base is Any where not installed
    """`options` are those of RemoteRewards."""

    def __init__(self, weight: float = 1.0, name: str | None = None, **options: Any) -> None:
        super().__init__(weight=weight, name=name)
        self._remote = RemoteRewards(**options)

    def compute(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        """One reward per completion; a column is a list, or one value for the whole group."""
        known = (*GROUND_TRUTHS, "verifiers", "task_id", "data_source")
        given = {name: columns[name] for name in known if name in columns}
        items = [
            item_of(
                completion,
                {name: _at(value, at) for name, value in given.items()},
                self._remote.verifiers,
            )
            for at, completion in enumerate(completions)
        ]
        return [reward(result) for result in self._remote.score(items)]

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        """The weighted rewards. Raises where one is missing."""
        return [self.weight * value for value in self.compute(completions, **columns)]


def _at(value: Any, at: int) -> Any:
    return value[at] if isinstance(value, list) else value
