"""
A Rubric for versions of verifiers before v1: `service_rubric({"math": 1.0, "format": 0.1})`.

verifiers' own Rubric logs what a reward function raises and takes 0 for its value; this one lets it
out, so that a failure of ours is no reward.
"""

from collections.abc import Mapping
from typing import Any

import verifiers as vf

from reward_client.adapters.verifiers import component_functions


class ServiceRubric(vf.Rubric):  # type: ignore[misc]  # its base is Any where it is not installed
    """A Rubric whose functions' exceptions reach the caller."""

    def __init__(self, weights: Mapping[str, float], **options: Any) -> None:
        if not hasattr(vf.Rubric, "_call_individual_reward_func"):
            raise ImportError("this version of verifiers calls its reward functions another way")
        super().__init__(funcs=component_functions(weights, **options), weights=[*weights.values()])

    async def _call_individual_reward_func(self, func: Any, state: Any) -> float:
        objects = self.score_objects(state)
        names = ("completion", "answer", "prompt", "info")
        return float(await func(**{name: objects[name] for name in names}))


def service_rubric(weights: Mapping[str, float], **options: Any) -> ServiceRubric:
    """A Rubric with one function a component; `reward` is the sum of all.

    `options` are those of RemoteRewards.
    """
    return ServiceRubric(weights, **options)
