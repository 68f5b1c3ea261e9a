"""The `math` verifier: one committed answer, compared with the references."""

from typing import ClassVar

from reward_service.verdicts import Failure, Outcome, Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.math import fallback
from reward_service.verifiers.math.committed import (
    Committed,
    Extract,
    Uncommitted,
    committed_answer,
)
from reward_service.verifiers.math.decision import Answer, Decision, UnreadableReference
from reward_service.verifiers.math.grading import grade
from reward_service.verifiers.math.policy import Policy

_CUT = 200  # characters of an answer that a result quotes


class Math(Policy, Rule):
    """`math`: is the committed answer mathematically the same as a reference?"""

    place: ClassVar[Place] = "pool"
    needs_ground_truth: ClassVar[bool] = True

    extract: Extract = "auto"
    """Where the answer is looked for; see `committed_answer`."""

    @classmethod
    def warm_up(cls) -> None:
        """Import Math-Verify and build its grammar's tables."""
        fallback.warm()

    def __call__(self, attempt: Attempt) -> Outcome:
        """Compare with each reference; any one suffices. An unreadable reference is a Failure."""
        if not attempt.ground_truth:
            return Failure("gold_missing", "reference", "the item has no ground_truth")
        try:
            return self._score(attempt)
        except UnreadableReference as error:
            return Failure("gold_unparseable", "reference", str(error))
        except (MemoryError, RecursionError) as error:
            return Failure("resources_exhausted", "compare", type(error).__name__)

    def _score(self, attempt: Attempt) -> Outcome:
        committed = committed_answer(attempt, self.extract)
        decisions = [(gold, self._decide(gold, committed)) for gold in attempt.ground_truth]
        if isinstance(committed, Uncommitted):
            return Score(Verdict.NO_ANSWER, 0.0, committed.reason, {"stage": "extract"})
        gold, decision = max(decisions, key=lambda pair: _RANK[pair[1].answer])
        details = {
            "extracted": committed.text[:_CUT],
            "gold": gold[:_CUT],
            "stage": decision.stage,
        }
        if decision.is_equal:
            return Score(Verdict.CORRECT, 1.0, decision.reason, details)
        return Score(Verdict.WRONG_ANSWER, 0.0, decision.reason, details)

    def _decide(self, gold: str, committed: Committed | Uncommitted) -> Decision:
        if isinstance(committed, Uncommitted):
            return grade(gold, None, self)
        return grade(gold, committed.text, self, boxes=committed.boxes)


_RANK = {Answer.EQUAL: 2, Answer.UNDECIDED: 1, Answer.DIFFERENT: 0}
