"""A verifier by name, applied: the one place where a rule's crash becomes an error."""

from functools import lru_cache

import structlog

from reward_service.verdicts import Failure, Outcome
from reward_service.verifiers import VERIFIERS
from reward_service.verifiers.base import Attempt, Rule, Verifier

log = structlog.get_logger()


@lru_cache(maxsize=128)
def verifier_of(name: str, params: str) -> Verifier:
    """The verifier `name` with `params`, which are JSON and were validated at the door."""
    return VERIFIERS[name].model_validate_json(params)


def apply(name: str, params: str, attempt: Attempt) -> Outcome:
    """Apply a rule that decides in Python. Never raises: a bug of ours is a Failure."""
    try:
        rule = verifier_of(name, params)
        if not isinstance(rule, Rule):
            return Failure("not_a_rule", "verify", f"{name} runs in the sandbox only")
        return rule(attempt)
    except MemoryError:
        return Failure("verifier_memory", "verify", f"{name} ran out of memory")
    except Exception as error:
        log.exception("verifier_crashed", verifier=name)
        return Failure("verifier_crashed", "verify", f"{name} raised {type(error).__name__}")
