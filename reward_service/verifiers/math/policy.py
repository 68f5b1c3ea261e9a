"""
What counts as the same answer where mathematics leaves it open.

Each field answers one question that honest graders answer differently. The
defaults accept what a teacher would accept without asking, and nothing that a
guess could exploit.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Policy(BaseModel):
    """Leniencies of one comparison; `docs/math.md` shows an example of each."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rounding: Literal["exact", "reference", "significant"] = "significant"
    """`exact`: a decimal is the rational it writes. `reference`: an answer that rounds to a decimal
    reference of 2 or more decimals is equal. `significant`: also a decimal answer that gives an
    endless reference (1/3, a root) to 6 or more significant digits."""
    percent: Literal["value", "number"] = "number"
    """`value`: 50% is 0.5 and nothing else. `number`: also 50, the sign left out or added."""
    units: Literal["required", "optional", "ignored"] = "optional"
    """`required`: both have the same unit. `optional`: one may leave it out. `ignored`: any."""
    degrees: Literal["convert", "strict"] = "convert"
    """`convert`: 180 degrees is pi. `strict`: degrees equal degrees only."""
    list_order: bool = False
    """Whether `1, 2` must come in this order. Tuples and vectors are always ordered."""
    base: Literal["required", "optional"] = "optional"
    """Whether an answer may leave out the base of the reference (`25_6` as `25`)."""
    decimal_comma: bool = False
    """Whether `0,5` may be read as 0.5."""
    renaming: bool = False
    """Whether an answer may use other variable names than the reference."""
    unevaluated: bool = True
    """Whether an answer that still has to be worked out (`6 \\times 7`, `10!`) is accepted."""
    case_sensitive: bool = False
    """Whether upper and lower case differ in words (`Monday`) and choices."""
