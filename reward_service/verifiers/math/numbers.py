"""Two numbers: equal exactly, equal by rounding where the policy says so, or different."""

from typing import Any

from flint import acb, arb, fmpq

from reward_service.verifiers.math.balls import PRECISIONS, Evaluator, NotEvaluable, precision
from reward_service.verifiers.math.decision import Answer, Decision, different, equal, undecided
from reward_service.verifiers.math.exact import NotRational, TooLarge, Undefined, rational
from reward_service.verifiers.math.identity import same_function
from reward_service.verifiers.math.policy import Policy
from reward_service.verifiers.math.tree import Expr, Num, Op

_FULL_DIGITS = 6
"""Significant digits at which a decimal stands for an endless number under `significant`."""
_DOUBLE_DIGITS = 16
_DOUBLE_ERROR = fmpq(1, 2**51)  # relative; two rounding errors of a double


def compare_numbers(gold: Expr, pred: Expr, policy: Policy) -> Decision:
    """Compare two closed expressions."""
    try:
        left, right = _rational_or_none(gold), _rational_or_none(pred)
        if left is not None and right is not None:
            if left == right:
                return equal("equal_rational", "exact")
            return _rounded(gold, pred, left, right, policy) or different(
                "different_rational", "exact"
            )
        return _compare_balls(gold, pred, policy)
    except Undefined:
        return different("undefined_value", "numeric")
    except TooLarge:
        return _compare_opaque(gold, pred)
    except NotEvaluable:
        return undecided("not_evaluable", "numeric")


def _rational_or_none(expression: Expr) -> fmpq | None:
    try:
        return rational(expression)
    except NotRational:
        return None


def _compare_opaque(gold: Expr, pred: Expr) -> Decision:
    """Beyond the caps only algebra can still help, as in 3^(3^30) - 3^(3^30) + 7."""
    found = same_function(_with_names(gold), _with_names(pred))
    return found if found.is_equal else different("too_large_to_compare", "numeric")


def _with_names(expression: Expr) -> Expr:
    """Each part that is too large becomes a variable of its own; equal parts the same one."""
    if not isinstance(expression, Op):
        return expression
    if expression.name not in ("+", "neg", "*", "/"):
        try:
            rational(expression)
        except TooLarge:
            return Op(f"call {expression!r}"[:4000], ())
        except (NotRational, Undefined):
            return expression
        return expression
    return Op(expression.name, tuple(_with_names(argument) for argument in expression.args))


def ball(expression: Expr) -> Any:
    """The value at the current precision, over the reals if it has one there."""
    try:
        return Evaluator(is_complex=False).value(expression)
    except (Undefined, NotEvaluable):
        return Evaluator(is_complex=True).value(expression)


def _compare_balls(gold: Expr, pred: Expr, policy: Policy) -> Decision:
    for bits in PRECISIONS:
        with precision(bits):
            left, right = ball(gold), ball(pred)
            if isinstance(left, acb) or isinstance(right, acb):
                left, right = acb(left), acb(right)
            if not left.overlaps(right):
                return _rounded(gold, pred, left, right, policy) or different(
                    "different_number", "numeric"
                )
            if bits == PRECISIONS[-1]:
                gap = abs(left - right).abs_upper()
                scale = abs(left).abs_upper() + abs(right).abs_upper()
                if gap <= scale / 2 ** (bits - 64) or gap < arb(2) ** (64 - bits):
                    return equal("equal_to_1024_bits", "numeric")
    return undecided("imprecise", "numeric")


def _rounded(gold: Expr, pred: Expr, left: Any, right: Any, policy: Policy) -> Decision | None:
    """Whether the two differ by no more than the rounding that the policy allows."""
    if policy.rounding == "exact":
        return None
    written = decimal_form(gold)
    if written is not None and written[1] >= 2:
        own = decimal_form(pred)
        if (own is None or own[1] > written[1]) and _within(
            left, right, fmpq(1, 2 * 10 ** written[1])
        ):
            return equal("rounds_to_reference", "numeric")
        return None
    if policy.rounding != "significant" or _is_terminating(left):
        return None
    own = decimal_form(pred)
    if own is None or own[2] < _FULL_DIGITS or own[0].q == 1:
        return None
    if _within(left, right, own[3]):
        return equal("reference_rounds_to_answer", "numeric")
    if own[2] >= _DOUBLE_DIGITS and _within(left, right, _DOUBLE_ERROR * abs(own[0])):
        return equal("reference_rounds_to_answer", "numeric")
    return None


def _within(left: Any, right: Any, bound: fmpq) -> bool:
    with precision(PRECISIONS[0]):
        gap = abs(left - right)
        return bool(gap <= (bound if isinstance(gap, fmpq) else arb(bound)))


def _is_terminating(value: Any) -> bool:
    """Whether the number has an end when written as a decimal."""
    if not isinstance(value, fmpq):
        return False
    rest = int(value.q)
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def decimal_form(expression: Expr) -> tuple[fmpq, int, int, fmpq] | None:
    """Of a number written as a decimal: value, decimals, significant digits, last place."""
    if isinstance(expression, Op):
        if expression.name == "neg":
            form = decimal_form(expression.args[0])
            return form and (-form[0], *form[1:])
        return _scientific_form(expression)
    if (
        not isinstance(expression, Num)
        or "." not in expression.text
        or "e" in expression.text.lower()
    ):
        return None
    if "(" in expression.text:
        return None
    whole, _, fraction = expression.text.partition(".")
    digits = (whole + fraction).lstrip("0")
    return expression.value, len(fraction), len(digits), fmpq(1, 10 ** len(fraction))


def _scientific_form(expression: Op) -> tuple[fmpq, int, int, fmpq] | None:
    if expression.name != "*" or len(expression.args) != 2:
        return None
    form, power = decimal_form(expression.args[0]), expression.args[1]
    if form is None or not isinstance(power, Op) or power.name != "^" or power.args[0] != _TEN:
        return None
    try:
        scale = rational(power)
    except (NotRational, TooLarge, Undefined):
        return None
    return form[0] * scale, 0, form[2], form[3] * scale


_TEN = Num(fmpq(10), "10")


def is_less(left: Expr, right: Expr) -> bool | None:
    """Whether one real number is below another; None where that cannot be told."""
    try:
        with precision(PRECISIONS[0]):
            low, high = Evaluator(is_complex=False), Evaluator(is_complex=False)
            a, b = low.value(left), high.value(right)
            return True if a < b else False if a > b else None
    except (Undefined, TooLarge, NotEvaluable):
        return None


def numbers_equal(left: Expr, right: Expr) -> bool | None:
    """Exact equality of two closed expressions; None where undecided."""
    found = compare_numbers(left, right, Policy(rounding="exact"))
    return None if found.answer is Answer.UNDECIDED else found.is_equal
