"""
Two read answers: are they the same? Each pair of shapes has its rule here.

A rule answers equal, different, or undecided; combining is strict: a list is
equal only if every item is, and one item proved different is enough.
"""

from collections.abc import Callable, Sequence

from reward_service.verifiers.math.decision import Answer, Decision, different, equal, undecided
from reward_service.verifiers.math.expressions import compare_expressions
from reward_service.verifiers.math.identity import mentions
from reward_service.verifiers.math.policy import Policy
from reward_service.verifiers.math.relations import (
    compare_relations,
    is_name,
    reference_value,
    value_of,
)
from reward_service.verifiers.math.sets import compare_sets, is_inequality, looks_like_a_set
from reward_service.verifiers.math.tree import (
    Based,
    Expr,
    Group,
    Matrix,
    Node,
    Num,
    Op,
    Quantity,
    Ratio,
    Relation,
    Seq,
    SetOf,
    SetOp,
    Sym,
    Text,
)
from reward_service.verifiers.math.units import measure

_MAX_ITEMS = 256
_EXACT = Policy(rounding="exact")
_ARGUMENTS = frozenset({Sym("t"), Sym("x"), Sym("n"), Sym("s")})
_NUMBER_SETS = frozenset({"𝔹Z", "𝔹N", "𝔹R", "𝔹Q", "𝔹C", "Z", "N", "R", "Q", "C"})


def compare(gold: Node, pred: Node, policy: Policy) -> Decision:
    """Compare an answer with a reference; neither may be Text."""
    gold, pred = _expanded(gold), _expanded(pred)
    if gold == pred:
        return equal("same_structure", "structure")
    if isinstance(gold, Text) or isinstance(pred, Text):
        return undecided("words_inside", "structure")
    if isinstance(gold, Quantity) or isinstance(pred, Quantity):
        return _quantities(gold, pred, policy)
    if isinstance(gold, Seq | SetOf) and isinstance(pred, Seq | SetOf | Group):
        return _lists(gold, pred, policy)
    if _names_differ(gold, pred) or _names_differ(pred, gold):
        return different("names_differ", "structure")
    if isinstance(gold, Relation) or isinstance(pred, Relation):
        return _with_relations(gold, pred, policy)
    if isinstance(gold, Num | Sym | Op) and isinstance(pred, Num | Sym | Op):
        return compare_expressions(gold, pred, policy)
    return _shapes(gold, pred, policy)


def _shapes(gold: Node, pred: Node, policy: Policy) -> Decision:
    if isinstance(gold, Based) or isinstance(pred, Based):
        return _based(gold, pred, policy)
    if isinstance(gold, Ratio) or isinstance(pred, Ratio):
        return _ratios(gold, pred, policy)
    if isinstance(gold, Matrix | Group) and isinstance(pred, Matrix):
        return _matrices(gold, pred, policy)
    if isinstance(gold, Matrix) and not isinstance(pred, Seq | SetOf):
        return _matrices(gold, pred, policy)
    if isinstance(gold, Group) and isinstance(pred, Group | Seq):
        return _groups(gold, pred, policy)
    if looks_like_a_set(gold) or looks_like_a_set(pred) or isinstance(gold, SetOf):
        found = compare_sets(gold, pred)
        if found is not None:
            return found
        if isinstance(gold, SetOp) and isinstance(pred, SetOp):
            return _unions(gold, pred, policy)
    if isinstance(pred, Seq | SetOf):
        return _single(pred, gold, lambda item: compare(gold, item, policy))
    if isinstance(gold, Seq | SetOf):
        return _single(gold, pred, lambda item: compare(item, pred, policy))
    return different("different_kind", "structure")


def _single(several: Seq | SetOf, other: Node, comparison: Callable[[Node], Decision]) -> Decision:
    """A set of one value is that value; `2, 2` says 2 twice."""
    items = several.items
    if not items or not isinstance(other, Num | Sym | Op | Matrix):
        return different("different_kind", "structure")
    if not all(compare(items[0], item, _EXACT).is_equal for item in items[1:]):
        return different("several_candidates", "structure")
    return comparison(items[0])


def _expanded(node: Node) -> Node:
    """`a ± b` is two values, the empty set is a set, nested lists are one."""
    if node == Sym("emptyset"):
        return SetOf(())
    if isinstance(node, Op) and (mentions(node, "pm") or mentions(node, "mp")):
        return Seq((_signed(node, 0), _signed(node, 1)))
    if isinstance(node, Seq | SetOf):
        items: list[Node] = []
        for item in map(_expanded, node.items):
            items += item.items if isinstance(item, Seq) else [item]
        if isinstance(node, SetOf):
            return SetOf(tuple(items))
        said = [item for item in items if not _is_domain(item)]
        if len(said) == 1 and len(items) > 1:
            return said[0]
        return Seq(tuple(said or items), node.joiner)
    if isinstance(node, Relation):
        return Relation(node.signs, tuple(map(_expanded, node.sides)))
    return node


def _is_domain(item: Node) -> bool:
    """`k \\in \\mathbb{Z}` beside an answer says what k is, not what the answer is."""
    return (
        isinstance(item, Relation)
        and item.signs == ("∈",)
        and isinstance(item.sides[1], Sym)
        and item.sides[1].name in _NUMBER_SETS
    )


def _signed(expression: Expr, choice: int) -> Expr:
    if not isinstance(expression, Op):
        return expression
    args = tuple(_signed(argument, choice) for argument in expression.args)
    if expression.name in ("pm", "mp"):
        is_plus = (expression.name == "pm") == (choice == 0)
        return Op("+", (args[0], args[1] if is_plus else Op("neg", (args[1],))))
    return Op(expression.name, args)


def _with_relations(gold: Node, pred: Node, policy: Policy) -> Decision:
    if isinstance(gold, Relation) and isinstance(pred, Relation):
        return _two_relations(gold, pred, policy)
    if is_inequality(gold) or is_inequality(pred):
        found = compare_sets(gold, pred)
        return found or different("inequality_for_value", "structure")
    if isinstance(pred, Relation):
        value = value_of(pred)
        if isinstance(value, Decision):
            return value
        return compare(gold, value, policy)
    if isinstance(gold, Relation):
        reference = reference_value(gold)
        if reference is None:
            return different("value_for_equation", "structure")
        return compare(reference, pred, policy)
    return undecided("no_relation", "structure")


def _two_relations(gold: Relation, pred: Relation, policy: Policy) -> Decision:
    found = compare_relations(gold, pred)
    if found.is_equal or found.reason == "tautology":
        return found
    if is_inequality(gold) or is_inequality(pred):
        return compare_sets(gold, pred) or found
    reference, value = reference_value(gold), value_of(pred)
    if reference is None or isinstance(value, Decision):
        if isinstance(value, Decision) and value.reason == "false_equation_chain":
            return value
        return found
    left, right = _name_of(gold), _name_of(pred)
    if right is None and left is not None:
        return found
    if left is not None and not _same_name(left, right) and not policy.renaming:
        return found
    return compare(reference, value, policy)


def _name_of(relation: Relation) -> Node | None:
    ends = (relation.sides[0], relation.sides[-1])
    return next((side for side in ends if is_name(side)), None)


def _same_name(gold: Node, pred: Node | None) -> bool:
    """`y` may stand for `f(x)`; otherwise names must match."""
    calls = [isinstance(side, Op) and side.name.startswith("call ") for side in (gold, pred)]
    if calls[0] != calls[1]:
        return Sym("y") in (gold, pred)
    if isinstance(gold, Op) and isinstance(pred, Sym):  # y(t) reads as y times t
        return gold.name == "*" and gold.args[0] == pred and gold.args[-1] in _ARGUMENTS
    if isinstance(gold, Sym) and isinstance(pred, Sym):  # x_1 and x_2 are roots of x
        return gold.name == pred.name or gold.name.partition("_")[0] == pred.name
    return gold == pred


def _quantities(gold: Node, pred: Node, policy: Policy) -> Decision:
    left, right = _unit_of(gold), _unit_of(pred)
    values = (_value_of_quantity(gold), _value_of_quantity(pred))
    if left == right or policy.units == "ignored":
        return compare(*values, policy)
    if left is None or right is None:
        if policy.units == "required":
            return different("unit_missing", "form")
        if "deg" in (_mark(gold), _mark(pred)):
            return _temperatures(gold, pred, policy)
        return compare(*values, policy)
    measures = measure(left), measure(right)
    if measures[0] is None or measures[1] is None or measures[0].dimension != measures[1].dimension:
        return different("units_differ", "form")
    factors = measures[0].factor, measures[1].factor
    if factors[0] is None or factors[1] is None or not isinstance(values[1], Num | Sym | Op):
        return different("units_differ", "form")
    ratio = factors[1] / factors[0]
    return compare(values[0], Op("*", (values[1], Num(ratio, str(ratio)))), policy)


def _temperatures(gold: Node, pred: Node, policy: Policy) -> Decision:
    """`20°` is short for `20°C`; degrees of an angle are nothing else."""
    if (_unit_of(gold) or _unit_of(pred) or "")[0] != "°":
        return different("units_differ", "form")
    left, right = (
        side.args[0] if isinstance(side, Op) and side.name == "deg" else _value_of_quantity(side)
        for side in (gold, pred)
    )
    return compare(left, right, policy)


def _unit_of(node: Node) -> str | None:
    return node.unit if isinstance(node, Quantity) else None


def _value_of_quantity(node: Node) -> Node:
    return node.value if isinstance(node, Quantity) else node


def _mark(node: Node) -> str:
    return node.name if isinstance(node, Op) else ""


def _lists(gold: Seq | SetOf, pred: Seq | SetOf | Group, policy: Policy) -> Decision:
    if looks_like_a_set(gold) or (isinstance(pred, Group) and looks_like_a_set(pred)):
        found = compare_sets(gold, pred)
        if found is not None:
            return found
    if isinstance(pred, Group) and not _is_assigned(gold.items):
        return different("tuple_for_list", "structure")
    is_ordered = policy.list_order and isinstance(gold, Seq)
    found = _items(gold.items, pred.items, policy, is_ordered=is_ordered or isinstance(pred, Group))
    if found.is_equal or not (isinstance(gold, SetOf) or isinstance(pred, SetOf)):
        return found
    return _items(
        _distinct(gold.items, policy), _distinct(pred.items, policy), policy, is_ordered=False
    )


def _names_differ(several: Node, one: Node) -> bool:
    """`x = 1, y = 2` is not `x = 1, 2`."""
    if not isinstance(several, Seq) or not isinstance(one, Relation):
        return False
    return isinstance(_name_of(one), Sym) and len(several.items) > 1 and _is_assigned(several.items)


def _distinct(items: tuple[Node, ...], policy: Policy) -> tuple[Node, ...]:
    kept: list[Node] = []
    for item in items[:_MAX_ITEMS]:
        if not any(compare(other, item, policy).is_equal for other in kept):
            kept.append(item)
    return tuple(kept)


def _is_assigned(items: tuple[Node, ...]) -> bool:
    """Whether the items are `x = 1, y = 2`: values with a name each, and no name twice."""
    names = [
        item.sides[0] for item in items if isinstance(item, Relation) and is_name(item.sides[0])
    ]
    return len(names) == len(items) == len(set(names)) and len(items) > 0


def _items(
    gold: Sequence[Node], pred: Sequence[Node], policy: Policy, *, is_ordered: bool
) -> Decision:
    if len(gold) != len(pred):
        return different("different_length", "structure")
    if len(gold) > _MAX_ITEMS:
        return different("too_many_items", "structure")
    if is_ordered:
        return _all([compare(left, right, policy) for left, right in zip(gold, pred, strict=True)])
    unmatched = list(pred)
    is_open = False
    for left in gold:
        found = None
        for right in unmatched:
            decision = compare(left, right, policy)
            if decision.is_equal:
                found = right
                break
            is_open = is_open or decision.answer is Answer.UNDECIDED
        if found is None:
            return (undecided if is_open else different)("items_differ", "structure")
        unmatched.remove(found)
    return equal("same_items", "structure")


def _all(decisions: list[Decision]) -> Decision:
    for answer in (Answer.DIFFERENT, Answer.UNDECIDED):
        for decision in decisions:
            if decision.answer is answer:
                return decision
    return equal("same_items", "structure")


def _groups(gold: Group, pred: Group | Seq, policy: Policy) -> Decision:
    if isinstance(pred, Seq):
        if _is_assigned(pred.items) or not any(isinstance(item, Group) for item in pred.items):
            return _items(gold.items, pred.items, policy, is_ordered=True)
        return different("several_candidates", "structure")
    if (gold.opening, gold.closing) != (pred.opening, pred.closing):
        return different("brackets_differ", "structure")
    return _items(gold.items, pred.items, policy, is_ordered=True)


def _unions(gold: SetOp, pred: SetOp, policy: Policy) -> Decision:
    """Unions of sets with variables, part by part."""
    if gold.name != pred.name or gold.name == "∖":
        return undecided("set_operation", "structure")
    return _items(_parts(gold, gold.name), _parts(pred, gold.name), policy, is_ordered=False)


def _parts(node: Node, name: str) -> tuple[Node, ...]:
    if isinstance(node, SetOp) and node.name == name:
        return (*_parts(node.left, name), *_parts(node.right, name))
    return (node,)


def _based(gold: Node, pred: Node, policy: Policy) -> Decision:
    if isinstance(gold, Based) and isinstance(pred, Based):
        same = gold.base == pred.base and gold.digits.lstrip("0") == pred.digits.lstrip("0")
        return (equal if same else different)("same_digits" if same else "other_number", "exact")
    if not isinstance(gold, Based) or not isinstance(pred, Num) or policy.base == "required":
        return different("base_missing", "form")  # an added base makes another number of it
    same = gold.digits == pred.text
    return (equal if same else different)("base_optional" if same else "other_number", "exact")


def _ratios(gold: Node, pred: Node, policy: Policy) -> Decision:
    left, right = _ratio_parts(gold), _ratio_parts(pred)
    if left is None or right is None or len(left) != len(right):
        return different("different_kind", "structure")
    if _is_clock(gold) or _is_clock(pred):
        return _items(left, right, policy, is_ordered=True)
    products = [
        compare_expressions(Op("*", (left[0], b)), Op("*", (right[0], a)), policy)
        for a, b in zip(left[1:], right[1:], strict=True)
    ]
    found = _all(products)
    return equal("same_ratio", "exact") if found.is_equal else found


def _ratio_parts(node: Node) -> tuple[Expr, ...] | None:
    if isinstance(node, Ratio):
        return node.parts
    if isinstance(node, Op) and node.name == "/" and len(node.args) == 2:
        return node.args
    return None


def _is_clock(node: Node) -> bool:
    if not isinstance(node, Ratio):
        return False
    pieces = node.text.split(":")
    return all(piece.isdigit() and len(piece) == 2 for piece in pieces[1:])


def _matrices(gold: Node, pred: Node, policy: Policy) -> Decision:
    if isinstance(gold, Matrix) and isinstance(pred, Group):
        if all(len(row) == 1 for row in gold.rows):
            return _items([row[0] for row in gold.rows], pred.items, policy, is_ordered=True)
        return different("different_kind", "structure")
    if not isinstance(gold, Matrix) or not isinstance(pred, Matrix):
        return different("different_kind", "structure")
    if [len(row) for row in gold.rows] != [len(row) for row in pred.rows]:
        return different("different_size", "structure")
    left = [cell for row in gold.rows for cell in row]
    right = [cell for row in pred.rows for cell in row]
    return _items(left, right, policy, is_ordered=True)
