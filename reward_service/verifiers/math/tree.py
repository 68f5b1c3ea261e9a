"""
The typed tree that answers are read into.

An expression is a number, a symbol or an operation. Around expressions stand
the shapes that answers take: tuples and intervals, lists, sets, relations,
matrices, quantities and words. Nothing here computes.
"""

from dataclasses import dataclass

from flint import fmpq


@dataclass(frozen=True, slots=True)
class Num:
    """A number as written; `text` keeps its digits, so that precision and base can be judged."""

    value: fmpq
    text: str


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable or a named constant (`pi`, `e`, `i`, `oo`), with its subscript in its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation or function on expressions; `vocabulary.py` lists the names.

    `sum` and `prod` have the arguments body, variable, lower and upper bound.
    """

    name: str
    args: "tuple[Expr, ...]"


Expr = Num | Sym | Op


@dataclass(frozen=True, slots=True)
class Group:
    """`(a, b)`, `[a, b)`, `⟨a, b⟩`: a tuple, a vector or an interval."""

    opening: str
    closing: str
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Seq:
    """Several values side by side, joined by `,`, `and` or `or`."""

    items: "tuple[Node, ...]"
    joiner: str = ","


@dataclass(frozen=True, slots=True)
class SetOf:
    """A finite set by its members."""

    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class SetOp:
    """`∪`, `∩` or `∖` of two sets."""

    name: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Relation:
    """`a = b < c`: one sign fewer than sides. Signs: = ≈ ≠ < ≤ ∈ ∉ ⇒ and so on."""

    signs: tuple[str, ...]
    sides: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells; a column vector has rows of one cell."""

    rows: "tuple[tuple[Node, ...], ...]"


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base, `4210_7`."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with the canonical name of its unit."""

    value: "Node"
    unit: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """`a:b:c`; with two-digit parts it may be a time of day, so the text is kept."""

    parts: tuple[Expr, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Words, lower-cased nowhere; `has_math` where formulas stand between them."""

    words: str
    has_math: bool = False


Node = Expr | Group | Seq | SetOf | SetOp | Relation | Matrix | Based | Quantity | Ratio | Text


class Unreadable(ValueError):
    """An answer has no reading here. `is_final`: no grader should find one either."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final
