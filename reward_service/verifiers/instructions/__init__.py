"""
Instructions: IFEval's verifiable constraints, under their published names.

The 25 constraints are applied to the text after the thought. None of them needs
downloaded data, and none passes because a detector failed.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from reward_service.extract import find_spans
from reward_service.verdicts import Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule
from reward_service.verifiers.instructions.base import Instruction
from reward_service.verifiers.instructions.layout import ON_LAYOUT
from reward_service.verifiers.instructions.words import ON_WORDS
from reward_service.verifiers.language import Language

INSTRUCTIONS = {kind.id: kind for kind in (*ON_WORDS, *ON_LAYOUT)}
"""IFEval's instruction id to its arguments and rule."""


class Instructions(Rule):
    """`instructions`: whether the answer follows verifiable instructions (IFEval's vocabulary)."""

    place: ClassVar[Place] = "pool"

    instruction_id_list: Annotated[list[str], Field(min_length=1, max_length=32)]
    """Ids such as `keywords:existence`; a row of IFEval's data fits as it is."""
    kwargs: Annotated[list[dict[str, Any]], Field(max_length=32)]
    """Arguments of each instruction, in the same order; null stands for absent."""
    scoring: Literal["all", "fraction"] = "all"
    """`all`: 1 if every instruction is followed, else 0. `fraction`: the share followed."""

    @model_validator(mode="after")
    def _arguments_fit(self) -> "Instructions":
        if len(self.instruction_id_list) != len(self.kwargs):
            raise ValueError("`kwargs` needs one object for each instruction")
        for index in range(len(self.kwargs)):
            self._instruction(index)
        return self

    @classmethod
    def warm_up(cls) -> None:
        """Load the language models that two instructions use."""
        Language.warm_up()

    def __call__(self, attempt: Attempt) -> Score:
        """Apply every instruction; the details say which ones were not followed."""
        spans = find_spans(attempt.completion, think_prefilled=attempt.think_prefilled)
        text = attempt.completion[spans.final :]
        if spans.answer is not None:
            text = attempt.completion[slice(*spans.answer)]
        if not text.strip():
            return Score(Verdict.NO_ANSWER, 0.0, "no_answer")
        broken = [
            name
            for index, name in enumerate(self.instruction_id_list)
            if not self._instruction(index).holds(text)
        ]
        if not broken:
            return Score(Verdict.CORRECT, 1.0, "all_followed", {"broken": []})
        share = 1 - len(broken) / len(self.instruction_id_list)
        value = share if self.scoring == "fraction" else 0.0
        return Score(Verdict.WRONG_ANSWER, value, "instruction_broken", {"broken": broken})

    def _instruction(self, index: int) -> Instruction:
        name = self.instruction_id_list[index]
        kind = INSTRUCTIONS.get(name)
        if kind is None:
            raise ValueError(f"instruction {index} of the list is unknown")
        given = {key: value for key, value in self.kwargs[index].items() if value is not None}
        try:
            return kind.model_validate(given)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise ValueError(f"{name}: {field}: {first['msg']}") from error
