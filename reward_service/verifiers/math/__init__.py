"""Are two mathematical answers the same? `Math` scores completions, `verify` compares two texts."""

from reward_service.verifiers.math.decision import Answer, Decision, UnreadableReference
from reward_service.verifiers.math.grading import check_reference, clear_caches, verify
from reward_service.verifiers.math.policy import Policy
from reward_service.verifiers.math.rule import Math

__all__ = [
    "Answer",
    "Decision",
    "Math",
    "Policy",
    "UnreadableReference",
    "check_reference",
    "clear_caches",
    "verify",
]
