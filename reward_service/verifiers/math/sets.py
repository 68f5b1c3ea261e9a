"""
Sets of real numbers: intervals, unions, inequalities, finite sets.

The end points of both sets are sorted together. They cut the line into points
and gaps, a set is the cells it covers, and two sets are equal when they cover
the same cells. So `x \\ne 3` and two open rays are the same set.
"""

from collections.abc import Sequence

from flint import fmpq

from reward_service.verifiers.math.decision import Decision, different, equal
from reward_service.verifiers.math.identity import symbols
from reward_service.verifiers.math.numbers import is_less, numbers_equal
from reward_service.verifiers.math.tree import (
    Expr,
    Group,
    Node,
    Num,
    Op,
    Relation,
    Seq,
    SetOf,
    SetOp,
    Sym,
)

MAX_POINTS = 64

_INFINITY = Sym("oo")
_MINUS_INFINITY = Op("neg", (_INFINITY,))
_ORDER = frozenset({"<", "≤", ">", "≥"})
_FLIPPED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤", "≠": "≠"}


class NotASet(ValueError):
    """The node does not describe a set of real numbers that can be worked out here."""


Cells = frozenset[int]
"""Even numbers are gaps of the grid, odd ones its points: gap 0, point 1, gap 2, …"""


def compare_sets(gold: Node, pred: Node) -> Decision | None:
    """Compare as sets of reals; None where one of them is none."""
    try:
        grid = _grid([*_ends(gold), *_ends(pred)])
        same = _cells(gold, grid) == _cells(pred, grid)
    except NotASet:
        return None
    return equal("same_set", "structure") if same else different("different_set", "structure")


def is_inequality(node: Node) -> bool:
    """Whether the node is a chain of order signs, or says that a variable is not some value."""
    return isinstance(node, Relation) and (bool(_ORDER & set(node.signs)) or node.signs == ("≠",))


def looks_like_a_set(node: Node) -> bool:
    """Whether the node is an interval or is built from sets."""
    if isinstance(node, Group):
        return len(node.items) == 2 and (
            _has_infinity(node) or {node.opening, node.closing} != {"(", ")"}
        )
    if isinstance(node, Seq):
        return all(map(is_inequality, node.items))
    return isinstance(node, SetOp) or is_inequality(node) or node == Sym("𝔹R")


def _has_infinity(node: Group) -> bool:
    return any(item in (_INFINITY, _MINUS_INFINITY) for item in node.items)


def _ends(node: Node) -> list[Expr]:
    if isinstance(node, Group) and len(node.items) == 2:
        return [_finite(item) for item in node.items if not _is_infinite(item)]
    if isinstance(node, SetOf):
        return [_finite(item) for item in node.items]
    if isinstance(node, Seq):
        return [end for item in node.items for end in _ends(item)]
    if isinstance(node, SetOp):
        return [*_ends(node.left), *_ends(node.right)]
    if isinstance(node, Relation):
        if node.signs in (("∈",), ("=",)):
            return _ends(node.sides[1])
        return [
            _finite(side) for side in node.sides if not _is_name(side) and not _is_infinite(side)
        ]
    if node in (Sym("𝔹R"), Sym("emptyset")):
        return []
    raise NotASet


def _is_infinite(node: Node) -> bool:
    return node in (_INFINITY, _MINUS_INFINITY)


def _is_name(node: Node) -> bool:
    return isinstance(node, Sym) and bool(symbols(node))


def _finite(node: Node) -> Expr:
    if not isinstance(node, Num | Sym | Op) or symbols(node):
        raise NotASet
    return node


def _grid(ends: Sequence[Expr]) -> list[Expr]:
    if len(ends) > MAX_POINTS:
        raise NotASet
    grid: list[Expr] = []
    for end in ends:
        place = 0
        while place < len(grid) and is_less(grid[place], end):
            place += 1
        if place < len(grid) and not is_less(end, grid[place]):
            if not numbers_equal(end, grid[place]):
                raise NotASet
            continue
        if place == len(grid) and is_less(Num(fmpq(0), "0"), end) is None and not _is_zero(end):
            raise NotASet
        grid.insert(place, end)
    return grid


def _is_zero(end: Expr) -> bool:
    return numbers_equal(end, Num(fmpq(0), "0")) is True


def _place(end: Expr, grid: list[Expr]) -> int:
    for place, point in enumerate(grid):
        if numbers_equal(end, point):
            return 2 * place + 1
    raise NotASet


def _cells(node: Node, grid: list[Expr]) -> Cells:
    everything = frozenset(range(2 * len(grid) + 1))
    if isinstance(node, Group):
        return _interval(node, grid)
    if isinstance(node, SetOf):
        return frozenset(_place(_finite(item), grid) for item in node.items)
    if isinstance(node, SetOp):
        left, right = _cells(node.left, grid), _cells(node.right, grid)
        return {"∪": left | right, "∩": left & right, "∖": left - right}[node.name]
    if isinstance(node, Seq):
        parts = [_cells(item, grid) for item in node.items]
        combined = parts[0]
        for part in parts[1:]:
            combined = combined & part if node.joiner == "and" else combined | part
        return combined
    if isinstance(node, Relation):
        return _solutions(node, grid, everything)
    return everything if node == Sym("𝔹R") else frozenset()


def _interval(node: Group, grid: list[Expr]) -> Cells:
    low, high = node.items
    if low == _INFINITY or high == _MINUS_INFINITY:
        raise NotASet
    start = 0 if low == _MINUS_INFINITY else _place(_finite(low), grid) + (node.opening == "(")
    stop = (
        2 * len(grid) if high == _INFINITY else _place(_finite(high), grid) - (node.closing == ")")
    )
    return frozenset(range(start, stop + 1))


def _solutions(node: Relation, grid: list[Expr], everything: Cells) -> Cells:
    if node.signs in (("∈",), ("=",)):
        return _cells(node.sides[1], grid)
    names = {side.name for side in node.sides if isinstance(side, Sym) and symbols(side)}
    if len(names) != 1:
        raise NotASet
    cells = everything
    for sign, left, right in zip(node.signs, node.sides, node.sides[1:], strict=False):
        if sign not in _FLIPPED:
            raise NotASet
        if _is_name(left) and not _is_name(right):
            cells &= _ray(sign, right, grid, everything)
        elif _is_name(right) and not _is_name(left):
            cells &= _ray(_FLIPPED[sign], left, grid, everything)
        else:
            raise NotASet
    return cells


def _ray(sign: str, end: Node, grid: list[Expr], everything: Cells) -> Cells:
    if _is_infinite(end):
        return everything
    place = _place(_finite(end), grid)
    if sign == "≠":
        return everything - {place}
    if sign in ("<", "≤"):
        return frozenset(range(place + (sign == "≤")))
    return everything - frozenset(range(place + (sign == ">")))
