"""What an instruction is: its published arguments, and a rule on the text."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Relation = Literal["less than", "at least"]
"""IFEval's two relations; `less than` is strict."""

Phrase = Annotated[str, Field(min_length=1, max_length=2_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Ordinal = Annotated[int, Field(ge=1, le=1_000_000)]


class Instruction(BaseModel):
    """One verifiable instruction. Arguments are named as in IFEval's data."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: ClassVar[str]

    @abstractmethod
    def holds(self, text: str) -> bool:
        """Whether `text` follows the instruction. `text` is not blank."""


def compares(count: int, relation: Relation, wanted: int) -> bool:
    """`count` stands in `relation` to `wanted`."""
    return count < wanted if relation == "less than" else count >= wanted
