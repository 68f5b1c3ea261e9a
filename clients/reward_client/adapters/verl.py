"""
verl's custom reward function.

    reward.custom_reward_function.path=pkg://reward_client.adapters.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000

verl asks for one trajectory at a time; calls of the same moment travel as one request. It takes the
keys of the first answer for the keys of all, so they are always the same, and it cannot mask.
"""

from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards, is_correct, reward, shared_remote
from reward_client.calls import Item
from reward_client.wire import Result


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, float]:
    """Score one trajectory. Raises where there is no reward; verl's manager then ends the run."""
    remote = shared_remote(options)
    item = _item(remote, data_source, solution_str, ground_truth, extra_info)
    return _scalars(await remote.score_one_async(item))


def compute_score_blocking(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, float]:
    """The same for verl's `remote` manager, which takes no coroutines."""
    remote = shared_remote(options)
    item = _item(remote, data_source, solution_str, ground_truth, extra_info)
    return _scalars(remote.score_one(item))


def _item(
    remote: RemoteRewards,
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None,
) -> Item:
    info = extra_info or {}
    row = {key: info[key] for key in ("verifiers", "task_id") if info.get(key)}
    row["ground_truth"] = ground_truth
    return item_of(
        solution_str, row, remote.verifiers, prompt=info.get("prompt"), data_source=data_source
    )


def _scalars(result: Result) -> dict[str, float]:
    value = reward(result)
    return {"score": value, "acc": float(is_correct(result))}
