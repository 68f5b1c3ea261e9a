"""
open-instruct's verifier, for rows whose column `dataset` says `rulegrade`.

Import this module before `build_all_verifiers` runs; open-instruct finds subclasses by itself. The
label is the reference, or a task as JSON, see docs/trainers.md. What raises ends the run, where
open-instruct's own remote verifier would score 0.
"""

from typing import Any

from open_instruct.ground_truth_utils import (
    VerificationResult,
    VerifierFunction,
)

from reward_client.adapters.labels import item_of
from reward_client.adapters.remote import reward, shared_remote
from reward_client.calls import Item


class RewardService(VerifierFunction):  # type: ignore[misc]  # its base is Any where not installed
    """Scores one prediction."""

    def __init__(self, verifier_config: Any = None) -> None:
        super().__init__("rulegrade", verifier_config=verifier_config, weight=1.0)
        self._remote = shared_remote({})

    def __call__(
        self,
        tokenized_prediction: list[int],
        prediction: str,
        label: Any,
        query: str | None = None,
        rollout_state: dict[str, Any] | None = None,
    ) -> VerificationResult:
        """The reward, for callers that cannot await it."""
        result = self._remote.score_one(self._item(prediction, label, query))
        return VerificationResult(score=reward(result))

    async def async_call(
        self,
        tokenized_prediction: list[int],
        prediction: str,
        label: Any,
        query: str | None = None,
        rollout_state: dict[str, Any] | None = None,
    ) -> VerificationResult:
        """The reward; calls of the same moment travel together."""
        result = await self._remote.score_one_async(self._item(prediction, label, query))
        return VerificationResult(score=reward(result))

    def _item(self, prediction: str, label: Any, query: str | None) -> Item:
        return item_of(prediction, {"label": label}, self._remote.verifiers, prompt=query)
