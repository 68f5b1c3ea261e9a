"""Two expressions: signs beside the number, then numbers, then functions of variables."""

from reward_service.verifiers.math.decision import Decision, different, equal
from reward_service.verifiers.math.identity import mentions, same_function, symbols
from reward_service.verifiers.math.numbers import compare_numbers
from reward_service.verifiers.math.policy import Policy
from reward_service.verifiers.math.tree import Expr, Num, Op, Sym


def compare_expressions(gold: Expr, pred: Expr, policy: Policy) -> Decision:
    """Compare two expressions, with percent signs and degrees as the policy says."""
    marked = _marks(gold, pred, policy)
    if marked is not None:
        return marked
    if not policy.unevaluated and _is_literal(gold) and not _is_literal(pred):
        return different("not_worked_out", "form")
    if _INFINITE & {gold, pred} or mentions(pred, "oo") or mentions(gold, "oo"):
        return different("infinite_and_finite", "exact")
    names, other = symbols(gold), symbols(pred)
    if not names and not other:
        return compare_numbers(gold, pred, policy)
    if policy.renaming and names != other and len(names) == len(other):
        pred = _renamed(pred, dict(zip(_in_order(pred), _in_order(gold), strict=False)))
    return same_function(gold, pred)


_INFINITE = frozenset({Sym("oo"), Op("neg", (Sym("oo"),))})


def _marks(gold: Expr, pred: Expr, policy: Policy) -> Decision | None:
    """Percent and degree signs that only one side has; None where they decide nothing."""
    for mark, is_optional in (
        ("percent", policy.percent == "number"),
        ("deg", policy.units != "required"),
    ):
        sides = [_unmarked(side, mark) for side in (gold, pred)]
        if (sides[0] is None) == (sides[1] is None) or symbols(gold) or symbols(pred):
            continue
        exact = compare_numbers(gold, pred, policy)
        if exact.is_equal and (mark != "deg" or policy.degrees == "convert"):
            return exact
        if not is_optional:
            return different("sign_required", "form")
        bare = compare_numbers(sides[0] or gold, sides[1] or pred, policy)
        return equal(f"{mark}_sign_optional", "exact") if bare.is_equal else bare
    return None


def _unmarked(expression: Expr, mark: str) -> Expr | None:
    if isinstance(expression, Op) and expression.name == "neg":
        inner = _unmarked(expression.args[0], mark)
        return None if inner is None else Op("neg", (inner,))
    return expression.args[0] if isinstance(expression, Op) and expression.name == mark else None


def _is_literal(expression: Expr) -> bool:
    if isinstance(expression, Op) and expression.name in ("neg", "percent", "deg"):
        return _is_literal(expression.args[0])
    if isinstance(expression, Op) and expression.name == "/":
        return all(map(_is_literal, expression.args))
    return isinstance(expression, Num)


def _in_order(expression: Expr) -> list[str]:
    if isinstance(expression, Sym):
        return sorted(symbols(expression))
    if isinstance(expression, Op):
        return list(dict.fromkeys(name for part in expression.args for name in _in_order(part)))
    return []


def _renamed(expression: Expr, names: dict[str, str]) -> Expr:
    if isinstance(expression, Sym):
        return Sym(names.get(expression.name, expression.name))
    if isinstance(expression, Op):
        return Op(expression.name, tuple(_renamed(part, names) for part in expression.args))
    return expression
