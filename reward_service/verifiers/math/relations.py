"""
Equations and inequalities: their values, and when two of them say the same.

`x = 7` commits to 7. `3 + 4 = 7` does too, because it is true; `8 = 7` and
`x = 8 = 7` commit to nothing, whatever stands at their end.
"""

from itertools import pairwise

from flint import fmpq

from reward_service.verifiers.math.balls import Evaluator, NotEvaluable, precision
from reward_service.verifiers.math.decision import Decision, different, equal, undecided
from reward_service.verifiers.math.exact import NotRational, TooLarge, Undefined, rational
from reward_service.verifiers.math.identity import coordinate, same_function, symbols
from reward_service.verifiers.math.numbers import decimal_form, numbers_equal
from reward_service.verifiers.math.tree import Expr, Group, Node, Num, Op, Relation, Sym
from reward_service.verifiers.math.vocabulary import CALLABLE

_ZERO = Num(fmpq(0), "0")
_EQUALITIES = frozenset({"=", "≈", "≡"})
_TURNED = {">": "<", "≥": "≤"}
_POINTS = 5


def is_expression(node: Node) -> bool:
    """Whether the node is a number, symbol or operation."""
    return isinstance(node, Num | Sym | Op)


def is_closed(node: Node) -> bool:
    """Whether the node is an expression without variables."""
    return isinstance(node, Num | Sym | Op) and not symbols(node)


def is_name(node: Node) -> bool:
    """Whether the node names something: a symbol, letters side by side, f(x), (x, y)."""
    if isinstance(node, Sym):
        return bool(symbols(node))
    if isinstance(node, Op):
        if node.name.startswith("call ") or node.name == "prime":
            return True
        if node.name == "^":  # an inverse function
            return isinstance(node.args[0], Sym) and node.args[0].name in CALLABLE
        return node.name in ("*", "/", "abs") and all(is_name(part) for part in node.args)
    return isinstance(node, Group) and all(is_name(item) for item in node.items)


def names_in(node: Node) -> frozenset[str]:
    """Free variables of an expression or of the items of a group."""
    if isinstance(node, Num | Sym | Op):
        return symbols(node)
    return frozenset().union(*map(names_in, node.items)) if isinstance(node, Group) else frozenset()


def value_of(relation: Relation) -> Node | Decision:
    """What the relation commits to, or why it commits to nothing."""
    signs = set(relation.signs)
    if signs == {"∈"} and is_name(relation.sides[0]):
        return relation.sides[1]
    if not signs <= _EQUALITIES:
        return different("relation_instead_of_value", "structure")
    if "≈" in signs:
        return _approximated(relation)
    closed = [side for side in relation.sides if is_closed(side)]
    for left, right in pairwise(closed):
        if numbers_equal(left, right) is not True:  # type: ignore[arg-type]
            return different("false_equation_chain", "structure")
    if _is_inconsistent(relation):
        return different("false_equation_chain", "structure")
    if closed:
        return closed[-1] if len(closed) == len(relation.sides) or _commits(relation) else _NOTHING
    return _symbolic_value(relation)


def _is_inconsistent(relation: Relation) -> bool:
    """Whether neighbours say that a variable is a multiple of itself, as in x = 7x = 7."""
    opened = [side for side in relation.sides if isinstance(side, Num | Sym | Op)]
    opened = [side for side in opened if symbols(side)]
    return len(relation.sides) > 2 and any(
        symbols(left) & symbols(right) and not same_function(left, right).is_equal
        for left, right in pairwise(opened)
    )


_NOTHING = different("equation_instead_of_value", "structure")


def _commits(relation: Relation) -> bool:
    """Whether the sides with variables could be what the question asked for.

    `x + y = 12` may answer "find x + y"; `x + 2 = 7` and `x - 3z = 0` are equations.
    """
    for side in relation.sides:
        if isinstance(side, Op) and side.name == "+" and not is_closed(side):
            values = [other for other in relation.sides if is_closed(other)]
            if any(map(is_closed, side.args)) or _ZERO in values:
                return False
        elif not is_expression(side) and not isinstance(side, Group):
            return False
    return True


def _approximated(relation: Relation) -> Node | Decision:
    """The exact side of `1/3 ≈ 0.33`, if the decimals are right."""
    sides = [side for side in relation.sides if not is_name(side)]
    if not sides or not all(map(is_closed, sides)):
        return different("relation_instead_of_value", "structure")
    exact, *approximations = sides
    for side in approximations:
        form = decimal_form(side)  # type: ignore[arg-type]
        if form is None:
            if numbers_equal(exact, side) is not True:  # type: ignore[arg-type]
                return different("false_equation_chain", "structure")
            continue
        if not _is_near(exact, side, form[3]):  # type: ignore[arg-type]
            return different("false_equation_chain", "structure")
    return exact


def _is_near(exact: Expr, side: Expr, last_place: fmpq) -> bool:
    try:
        with precision(128):
            gap = Evaluator(is_complex=False).value(Op("+", (exact, Op("neg", (side,)))))
            return bool(abs(gap) <= Evaluator(is_complex=False).field(last_place))
    except (Undefined, TooLarge, NotEvaluable):
        return False


def _symbolic_value(relation: Relation) -> Node | Decision:
    first, *rest = relation.sides
    if is_name(first):
        names = names_in(first)
    elif is_name(relation.sides[-1]) and len(relation.sides) == 2:
        rest, names = [first], names_in(relation.sides[-1])
    else:
        return _NOTHING
    if any(is_expression(side) and _defines_itself(names, side, first) for side in rest):
        return different("tautology", "structure")
    for left, right in pairwise(rest):
        if not is_expression(left) or not is_expression(right):
            return undecided("mixed_chain", "structure")
        if not same_function(left, right).is_equal:  # type: ignore[arg-type]
            return different("false_equation_chain", "structure")
    return rest[-1]


def _defines_itself(names: frozenset[str], side: Node, name: Node) -> bool:
    if not isinstance(name, Sym):
        return side == name
    return isinstance(side, Num | Sym | Op) and bool(names & symbols(side))


def reference_value(relation: Relation) -> Node | None:
    """What answers the reference without repeating it: 7 for `x = 7`; None if it is an equation."""
    if set(relation.signs) == {"∈"} and is_name(relation.sides[0]):
        return relation.sides[1]
    if not set(relation.signs) <= _EQUALITIES:
        return None
    first, last = relation.sides[0], relation.sides[-1]
    if is_name(first) or (all(map(is_closed, relation.sides))):
        return last
    return first if is_name(last) else None


def compare_relations(gold: Relation, pred: Relation) -> Decision:
    """Whether two relations say the same; undecided where algebra does not show it."""
    left, right = _facts(gold), _facts(pred)
    if left is None or right is None:
        return undecided("unknown_relation", "structure")
    if any(_is_trivial(fact) for fact in right) and not any(_is_trivial(fact) for fact in left):
        return different("tautology", "structure")
    if len(left) != len(right):
        return different("relation_count", "structure")
    unmatched = list(right)
    for fact in left:
        found = next((other for other in unmatched if _same_fact(fact, other)), None)
        if found is None:
            return different("relations_differ", "structure")
        unmatched.remove(found)
    return equal("same_relation", "structure")


_Fact = tuple[str, Expr]


def _facts(relation: Relation) -> list[_Fact] | None:
    """Each step of the chain as a sign and what is compared with zero."""
    facts: list[_Fact] = []
    for sign, left, right in zip(relation.signs, relation.sides, relation.sides[1:], strict=False):
        if not isinstance(left, Num | Sym | Op) or not isinstance(right, Num | Sym | Op):
            return None
        if sign in _TURNED:
            sign, left, right = _TURNED[sign], right, left
        if sign not in ("=", "<", "≤", "≠"):
            return None
        facts.append((sign, Op("+", (left, Op("neg", (right,))))))
    return facts


def _is_trivial(fact: _Fact) -> bool:
    return same_function(fact[1], _ZERO).is_equal


def _same_fact(gold: _Fact, pred: _Fact) -> bool:
    if gold[0] != pred[0]:
        return False
    if same_function(gold[1], pred[1]).is_equal:
        return True
    ratio = _ratio(gold[1], pred[1]) or fmpq(-1)
    if gold[0] in ("<", "≤") and ratio < 0:
        return False
    scaled = Op("*", (Num(ratio, str(ratio)), pred[1]))
    return same_function(gold[1], scaled).is_equal


def _ratio(gold: Expr, pred: Expr) -> fmpq | None:
    """A candidate for the constant factor between two sides, from one rational point."""
    names = symbols(gold) | symbols(pred)
    for point in range(_POINTS):
        bindings = {name: coordinate(name, point, False) for name in names}
        try:
            top, bottom = rational(gold, bindings), rational(pred, bindings)
        except (NotRational, TooLarge, Undefined):
            return None
        if top != 0 and bottom != 0:
            return top / bottom
    return None
