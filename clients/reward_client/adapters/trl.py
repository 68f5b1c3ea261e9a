"""
TRL's GRPOTrainer, and what takes the same functions: Unsloth, axolotl, AsyncGRPOTrainer.

    GRPOTrainer(..., reward_funcs=reward_funcs(["math", "format"], verifiers="r1-zero"))

One function a component, so that each has its curve `rewards/<name>/mean` and its place in
`reward_weights`, which take the place of the verifiers' own weights; all of them share one request
a batch. A row that we failed on is None for every function: TRL leaves it out of the loss and of
the group's baseline. A component that does not apply to a row is None for its function alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import RemoteRewards
from reward_client.calls import Item
from reward_client.wire import Result

TOTAL = "reward"
"""Name of the function that gives the weighted sum in place of one component."""

_KEPT = 2  # batches: one may still be under way where the next begins


def reward_funcs(names: Sequence[str] = (TOTAL,), **options: Any) -> list["ComponentReward"]:
    """Reward functions by component name; `reward` is the sum of all.

    `options` are those of RemoteRewards: `url`, `api_key`, `verifiers`, `on_error`, …
    """
    shared = SharedBatches(RemoteRewards(can_mask=True, **options))
    return [ComponentReward(name, shared) for name in names]


@dataclass(slots=True)
class _Running:
    """A request under way, and the functions that have taken its results."""

    completions: Any  # kept, so that no other list can get its id
    results: "asyncio.Task[list[Result]]"
    takers: set[str] = field(default_factory=set)


class SharedBatches:
    """One request for all functions that are called with the same completions."""

    def __init__(self, remote: RemoteRewards) -> None:
        self.remote = remote
        self._running: dict[int, _Running] = {}

    async def results(
        self, taker: str, completions: Sequence[Any], items: Sequence[Item]
    ) -> list[Result]:
        """The results for `items`. A function that asks a second time gets others."""
        running = self._running.get(id(completions))
        if running is None or taker in running.takers:
            while len(self._running) >= _KEPT:
                del self._running[next(iter(self._running))]
            task = asyncio.create_task(self.remote.score_async(items))
            running = self._running[id(completions)] = _Running(completions, task)
        running.takers.add(taker)
        return await asyncio.shield(running.results)

    def __getstate__(self) -> RemoteRewards:
        return self.remote

    def __setstate__(self, remote: RemoteRewards) -> None:
        self.remote = remote
        self._running = {}


class ComponentReward:
    """An asynchronous reward function of TRL's form. Can be pickled."""

    def __init__(self, name: str, shared: SharedBatches) -> None:
        self.__name__ = name
        self._shared = shared

    async def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[float | None]:
        """One score per completion; None where there is none."""
        items = [
            item_of(completion, _row(columns, at), self._verifiers, prompt=prompts[at])
            for at, completion in enumerate(completions)
        ]
        results = await self._shared.results(self.__name__, completions, items)
        scores = [score_of(result, self.__name__) for result in results]
        if log_metric := columns.get("log_metric"):
            log_metric(f"{self.__name__}/not_scored", scores.count(None) / max(1, len(scores)))
        return scores

    @property
    def _verifiers(self) -> Any:
        return self._shared.remote.verifiers


def score_of(result: Result, name: str) -> float | None:
    """A component's score, 0 where its gate did not pass; None where it has none.

    Where we failed on one component none is told: the sum of the others would be a wrong reward.
    """
    if name == TOTAL or result["reward"] is None:
        return result["reward"]
    component = result["components"].get(name)
    if component is None or component["score"] is None:
        return None
    return component["score"] if component["counted"] else 0.0


def _row(columns: dict[str, Any], at: int) -> dict[str, Any]:
    """One row of the data set's columns; what TRL adds besides is no column."""
    return {name: column[at] for name, column in columns.items() if isinstance(column, list)}
