"""
What a verifier is: its parameter model, plus a pure rule from an attempt to an outcome.

A rule is synchronous, has no side effects, may be killed at any point, and gives the same
outcome for the same input on any machine at any load.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from reward_service.verdicts import Outcome

Place = Literal["inline", "pool", "sandbox"]
"""Cheap and linear in the caller's process, in a killable process, or as a program in a jail."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion as a rule sees it, with the facts of its task."""

    completion: str
    prompt: str | None = None
    ground_truth: tuple[str, ...] = ()
    """Accepted references; any one of them suffices."""
    think_prefilled: bool = False
    """The chat template already opened `<think>`, so the completion starts inside the thought."""
    finish_reason: str | None = None


class Verifier(BaseModel):
    """Parameters of one rule; calling it applies the rule."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    place: ClassVar[Place]
    needs_ground_truth: ClassVar[bool] = False

    @classmethod
    def warm_up(cls) -> None:
        """Load what the rule needs; called once, before worker processes are forked."""


class Rule(Verifier):
    """A verifier that decides in Python, without running the completion."""

    @abstractmethod
    def __call__(self, attempt: Attempt) -> Outcome:
        """Decide on `attempt`. A wrong answer is a Score; an exception means a bug of ours."""
