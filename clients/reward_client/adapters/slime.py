"""
slime's and miles' custom reward model: `--custom-rm-path reward_client.adapters.slime.custom_rm`.

Both call it with one sample, or with a list under `--group-rm` and in evaluation. The service's
`/compat/slime` needs no package; this adapter can name verifiers by row: what `sample.metadata`
holds under `verifiers`, `task_id` or `data_source` is used.
"""

from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards, reward, shared_remote
from reward_client.calls import Item


async def custom_rm(args: Any, sample: Any, **_: Any) -> float | list[float]:
    """The reward of one sample, or of each in a list. Raises where there is none."""
    remote = shared_remote({"url": getattr(args, "rm_url", None)})
    if not isinstance(sample, list):
        return reward(await remote.score_one_async(_item(remote, sample)))
    results = await remote.score_async([_item(remote, one) for one in sample])
    return [reward(result) for result in results]


def _item(remote: RemoteRewards, sample: Any) -> Item:
    metadata = getattr(sample, "metadata", None) or {}
    row = {key: metadata[key] for key in ("verifiers", "task_id") if metadata.get(key)}
    return item_of(
        sample.response,
        row | {"label": sample.label},
        remote.verifiers,
        prompt=sample.prompt,
        data_source=metadata.get("data_source"),
    )
