"""A verifier by name, applied: the one place where a rule's crash becomes an error."""

import traceback
from functools import lru_cache
from pathlib import Path

from reward_service.verdicts import Failure, Outcome
from reward_service.verifiers import VERIFIERS
from reward_service.verifiers.base import Attempt, Rule, Verifier


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
        return crashed(name, error)


def crashed(name: str, error: Exception) -> Failure:
    """What an item is told when the verifier `name` raised what it should not."""
    return Failure("verifier_crashed", "verify", f"{name} raised {_place(error)}")


def _place(error: Exception) -> str:
    """The error's type and where it happened; its text may quote the completion."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
