"""
ms-swift's ORM. A plugin file of three lines registers it:

    from swift.rewards.orm import orms
    from reward_client.adapters.swift import RewardService
    orms["rulegrade"] = RewardService

then `--external_plugins plugin.py --reward_funcs rulegrade`. A row without a reward is None, which
swift leaves out; not so under GDPO (ms-swift #8123): use `RULEGRADE_ON_ERROR=retry` with it.
"""

from collections.abc import Sequence
from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards


class RewardService:
    """Called with the completions of a rank and the data set's columns."""

    def __init__(self, args: Any = None, **options: Any) -> None:
        """`args` are swift's own and unused; `options` are those of RemoteRewards."""
        self._remote = RemoteRewards(can_mask=True, **options)

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """One reward per completion; None where there is none."""
        lists = {name: column for name, column in columns.items() if isinstance(column, list)}
        items = [
            item_of(completion, {k: v[at] for k, v in lists.items()}, self._remote.verifiers)
            for at, completion in enumerate(completions)
        ]
        return [result["reward"] for result in self._remote.score(items)]
