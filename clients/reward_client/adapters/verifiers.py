"""
verifiers: a reward for v1's tasks by configuration alone, and functions for earlier versions.

    [orchestrator.train.source.env.taskset.task.rewards.rulegrade]
    fn = "reward_client.adapters.verifiers:task_reward"

What raises makes an errored trace, which prime-rl leaves out. Before v1: `verifiers_rubric.py`.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards, reward, shared_remote
from reward_client.adapters.trl import score_of
from reward_client.errors import NotScored

RewardFunction = Callable[..., Awaitable[float]]


async def task_reward(task: Any, trace: Any) -> float:
    """The reward of a v1 trace's last reply, against the fields of its task's data."""
    remote = shared_remote({})
    data = getattr(task, "data", task)  # verifiers gives a plugged function the data alone
    row = data.model_dump()
    row |= row.get("row") or row.get("info") or {}
    item = item_of(trace.last_reply, row, remote.verifiers, data_source=row.get("data_source"))
    return reward(await remote.score_one_async(item))


def component_functions(names: Iterable[str], **options: Any) -> list[RewardFunction]:
    """One function a component; `reward` is the sum of all.

    `options` are those of RemoteRewards.
    """
    remote = RemoteRewards(**options)
    return [_component(name, remote) for name in names]


def _component(name: str, remote: RemoteRewards) -> RewardFunction:
    async def component(
        completion: Any, answer: Any, prompt: Any, info: dict[str, Any] | None = None
    ) -> float:
        row = {"answer": answer} | (info or {})
        source = row.get("data_source")
        item = item_of(completion, row, remote.verifiers, prompt=prompt, data_source=source)
        # The functions of one rollout ask the same; the service evaluates it once.
        score = score_of(await remote.score_one_async(item), name)
        if score is None:
            raise NotScored(f"{name} does not apply to this completion")
        return score

    component.__name__ = name
    return component
