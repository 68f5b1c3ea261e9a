"""
What a verifier says about one completion: a score, that it does not apply, or that we failed.

They are different types, so that no failure of ours can be mistaken for a number.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

SEMANTICS = "1"
"""Version of the comparison rules. Any change of a verdict on the labelled corpora bumps it."""


class Verdict(StrEnum):
    """What was found about the policy's work."""

    CORRECT = "correct"
    WRONG_ANSWER = "wrong_answer"
    NO_ANSWER = "no_answer"
    FORMAT_ERROR = "format_error"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"


@dataclass(frozen=True, slots=True)
class Score:
    """A verdict on the policy's work and what it is worth; `reason` is a short snake_case code."""

    verdict: Verdict
    value: float
    reason: str
    details: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """The rule does not apply to this completion; the component leaves the sum."""

    reason: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """We could not decide. `code` is a stable snake_case name, `stage` where it happened."""

    code: str
    stage: str
    message: str
    retryable: bool = False
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Ran:
    """A program was run for its output alone: nothing is scored. Of `POST /v1/execute` only."""

    details: dict[str, Any]
    reason: str = "ran"


Outcome = Score | Skip | Failure | Ran

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "score": TypeAdapter(Score),
    "skip": TypeAdapter(Skip),
    "failure": TypeAdapter(Failure),
    "ran": TypeAdapter(Ran),
}


def dump_outcome(outcome: Outcome) -> bytes:
    """`outcome` as JSON, for another process; as a Failure if JSON in UTF-8 cannot hold it."""
    kind = type(outcome).__name__.lower()
    try:
        fields = _ADAPTERS[kind].dump_python(outcome, mode="json")
        return json.dumps([kind, fields], allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:  # a rule put into its details what no answer can carry
        return dump_outcome(Failure("unreadable_outcome", "verify", type(error).__name__))


def load_outcome(data: bytes) -> Outcome:
    """Read what `dump_outcome` wrote. ValueError on anything else: nothing is trusted."""
    kind, fields = json.loads(data)
    outcome: Outcome = _ADAPTERS[kind].validate_python(fields)
    return outcome
