"""
For whom work is done: ids that travel with a job, so that a worker's log can name items.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar

Origin = tuple[str, str]
"""An item as its caller knows it: the ids of the request and of the item."""

about: ContextVar[Sequence[Origin]] = ContextVar("about", default=())
"""The items that this task works for; what it logs has their ids."""


def ids_of(origins: Iterable[Origin]) -> dict[str, str | list[str]]:
    """`request_id` and `item_id` of one item; of several, lists in the plural where they differ."""
    known = list(origins)
    ids: dict[str, str | list[str]] = {}
    for name, found in (
        ("request_id", dict.fromkeys(request_id for request_id, _ in known if request_id)),
        ("item_id", dict.fromkeys(item_id for _, item_id in known)),
    ):
        if len(found) == 1:
            ids[name] = next(iter(found))
        elif found:
            ids[f"{name}s"] = list(found)
    return ids
