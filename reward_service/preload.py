"""
Imported by the fork server alone: what every worker process is born with.

Importing sympy takes a second and its first answers are five times slower than later ones, so
one answer of each kind is computed here, once, before the forks.
"""

from reward_service.verifiers import VERIFIERS
from reward_service.verifiers.base import Attempt, Rule

_WARM_UP = Attempt(
    completion="<think>Half of it, so we get one half.</think><answer>\\boxed{0.5}</answer>",
    prompt="What is 1/2?",
    ground_truth=("\\frac{1}{2}",),
)


def _warm_up() -> None:
    for verifier in VERIFIERS.values():
        if verifier.place == "pool" and issubclass(verifier, Rule):
            verifier.model_validate({})(_WARM_UP)


_warm_up()
