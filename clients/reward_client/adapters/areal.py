"""
AReaL's reward function: `reward_fn="reward_client.adapters.areal:reward_fn"` of a workflow.

AReaL gives a call 15 s and then takes 0 for its reward, so this one raises after 12: an exception
ends the trajectory and is no number. It runs in a few processes; where that is too little, call
`reward_fn_async` from a workflow of your own.
"""

from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards, reward, shared_remote
from reward_client.calls import Item

_OPTIONS = {"deadline_ms": 10_000, "grace_s": 2.0}


def reward_fn(
    prompt: Any, completions: Any, prompt_ids: Any = None, completion_ids: Any = None, **row: Any
) -> float:
    """The reward of one completion. Raises where there is none."""
    remote = shared_remote(_OPTIONS)
    return reward(remote.score_one(_item(remote, prompt, completions, row)))


async def reward_fn_async(
    prompt: Any, completions: Any, prompt_ids: Any = None, completion_ids: Any = None, **row: Any
) -> float:
    """As `reward_fn`, for workflows that await their reward."""
    remote = shared_remote(_OPTIONS)
    return reward(await remote.score_one_async(_item(remote, prompt, completions, row)))


def _item(remote: RemoteRewards, prompt: Any, completion: Any, row: dict[str, Any]) -> Item:
    source = row.get("data_source")
    return item_of(completion, row, remote.verifiers, prompt=prompt, data_source=source)
