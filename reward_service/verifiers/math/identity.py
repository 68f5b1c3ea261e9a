"""
Are two expressions with variables the same function?

Rational functions are compared at random points of two prime fields, which is
proof up to chances below 2^-100 (Schwartz 1980, Zippel 1979). Everything else
is compared with balls at fixed real points, positive and negative ones: one
point where the balls are disjoint proves a difference.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

from flint import fmpq, fmpz

from reward_service.verifiers.math.balls import Evaluator, NotEvaluable, precision
from reward_service.verifiers.math.decision import Answer, Decision, different, equal, undecided
from reward_service.verifiers.math.exact import (
    MAX_TERMS,
    NotRational,
    TooLarge,
    Undefined,
    rational,
)
from reward_service.verifiers.math.tree import Expr, Num, Op, Sym
from reward_service.verifiers.math.vocabulary import CONSTANTS

_PRIMES = (2305843009213693921, 2305843009213693693)
"""61-bit primes that leave 1 when divided by 4, so that -1 has a square root for `i`."""

_POINTS = 6
_BITS = 256
_MAX_EXPONENT = 10**18


class _NotRationalFunction(ValueError):
    """The expression has a root, a function or a constant that is no number of the field."""


def symbols(expression: Expr) -> frozenset[str]:
    """Names of the free variables; bound ones and named constants left out."""
    return frozenset(_symbols(expression, frozenset()))


def _symbols(expression: Expr, bound: frozenset[str]) -> Iterator[str]:
    if isinstance(expression, Sym):
        if expression.name not in CONSTANTS and expression.name not in bound:
            yield expression.name
    elif isinstance(expression, Op):
        if expression.name.startswith("call "):
            yield expression.name
        if expression.name in ("sum", "prod") and isinstance(expression.args[1], Sym):
            bound = bound | {expression.args[1].name}
        for argument in expression.args:
            yield from _symbols(argument, bound)


def mentions(expression: Expr, name: str) -> bool:
    """Whether the symbol or operation `name` occurs anywhere."""
    if isinstance(expression, Op):
        return expression.name == name or any(mentions(part, name) for part in expression.args)
    return isinstance(expression, Sym) and expression.name == name


def same_function(left: Expr, right: Expr) -> Decision:
    """Compare two expressions of which at least one has variables."""
    try:
        same = all(_agree(left, right, prime) for prime in _PRIMES)
    except (_NotRationalFunction, NotRational):
        return _same_at_points(left, right)
    except (TooLarge, Undefined) as error:
        return different(
            "undefined_value" if isinstance(error, Undefined) else "too_large", "identity"
        )
    return (
        equal("equal_identity", "identity")
        if same
        else different("differs_as_function", "identity")
    )


def _agree(left: Expr, right: Expr, prime: int) -> bool:
    compared = 0
    for point in range(2 * _POINTS):
        try:
            if _residue(left, prime, point, {}) != _residue(right, prime, point, {}):
                return False
        except ZeroDivisionError:
            continue
        compared += 1
        if compared == 2:
            return True
    raise Undefined


@lru_cache(maxsize=4096)
def _random_residue(name: str, prime: int, point: int) -> int:
    return random.Random(f"{name}/{prime}/{point}").randrange(2, prime)  # noqa: S311 - must repeat


@lru_cache(maxsize=4)
def _imaginary(prime: int) -> int:
    return int(fmpz(prime - 1).sqrtmod(prime))


def _residue(expression: Expr, prime: int, point: int, bound: dict[str, int]) -> int:
    if isinstance(expression, Num):
        return int(expression.value.p) * pow(int(expression.value.q), -1, prime) % prime
    if isinstance(expression, Sym):
        if expression.name in bound:
            return bound[expression.name]
        if expression.name == "oo":
            raise Undefined
        if expression.name == "i":
            return _imaginary(prime)
        return _random_residue(expression.name, prime, point)
    name, args = expression.name, expression.args
    if name == "^":
        return _residue_power(expression, prime, point, bound)
    if name in ("sum", "prod"):
        return _residue_series(expression, prime, point, bound)
    if name == "!" or name == "binom":
        value = rational(expression, {k: fmpq(v) for k, v in bound.items()})
        return int(value.p) % prime
    values = [_residue(argument, prime, point, bound) for argument in args]
    if name.startswith("call ") or name == "prime":
        return _random_residue(f"{name}{values}", prime, point)
    return _residue_arithmetic(name, values, prime)


def _residue_arithmetic(name: str, values: list[int], prime: int) -> int:
    if name == "+":
        return sum(values) % prime
    if name == "neg":
        return -values[0] % prime
    if name == "*":
        product = 1
        for value in values:
            product = product * value % prime
        return product
    if name in ("/", "percent"):
        bottom = values[1] if name == "/" else 100
        if bottom % prime == 0:
            raise ZeroDivisionError
        return values[0] * pow(bottom, -1, prime) % prime
    raise _NotRationalFunction


def _residue_power(expression: Op, prime: int, point: int, bound: dict[str, int]) -> int:
    exponent = rational(expression.args[1], {k: fmpq(v) for k, v in bound.items()})
    if exponent.q != 1:
        raise _NotRationalFunction
    if abs(exponent) > _MAX_EXPONENT:
        raise TooLarge
    base = _residue(expression.args[0], prime, point, bound)
    if base == 0 and exponent <= 0:
        raise ZeroDivisionError
    return pow(base, int(exponent.p), prime)


def _residue_series(expression: Op, prime: int, point: int, bound: dict[str, int]) -> int:
    body, variable, lower, upper = expression.args
    numbers = {k: fmpq(v) for k, v in bound.items()}
    first, last = rational(lower, numbers), rational(upper, numbers)
    if (
        first.q != 1
        or last.q != 1
        or not isinstance(variable, Sym)
        or last - first > MAX_TERMS // 4
    ):
        raise _NotRationalFunction
    result = 0 if expression.name == "sum" else 1
    for index in range(int(first.p), int(last.p) + 1):
        term = _residue(body, prime, point, {**bound, variable.name: index})
        result = (result + term if expression.name == "sum" else result * term) % prime
    return result


def _same_at_points(left: Expr, right: Expr) -> Decision:
    names = sorted(symbols(left) | symbols(right))
    integers = frozenset(_integer_symbols(left)) | frozenset(_integer_symbols(right))
    if not any(mentions(side, "i") for side in (left, right)):
        found = _agree_at_points(left, right, names, integers, is_complex=False)
        if found.answer is not Answer.UNDECIDED or found.reason == "not_evaluable":
            return found
    return _agree_at_points(left, right, names, integers, is_complex=True)


def _agree_at_points(
    left: Expr, right: Expr, names: list[str], integers: frozenset[str], *, is_complex: bool
) -> Decision:
    agreed = 0
    for point in range(_POINTS):
        bindings = {name: coordinate(name, point, name in integers) for name in names}
        found = _compare_at(left, right, bindings, is_complex=is_complex)
        if found.answer is Answer.DIFFERENT or found.reason == "not_evaluable":
            return found
        agreed += found.is_equal
    if agreed >= 2:
        return equal("equal_at_points", "identity")
    return undecided("no_common_points", "identity")


def _compare_at(
    left: Expr, right: Expr, bindings: dict[str, fmpq], *, is_complex: bool
) -> Decision:
    with precision(_BITS):
        values = []
        for side in (left, right):
            try:
                values.append(Evaluator(bindings, is_complex=is_complex).value(side))
            except Undefined:
                values.append(None)
            except TooLarge:
                return different("too_large_to_compare", "identity")
            except NotEvaluable:
                return undecided("not_evaluable", "identity")
        if values[0] is None and values[1] is None:
            return undecided("undefined_here", "identity")
        if values[0] is None or values[1] is None:
            return different("domain_differs", "identity")
        if not values[0].overlaps(values[1]):
            return different("differs_at_point", "identity")
        gap = values[0] - values[1]
        scale = abs(values[0]).abs_upper() + abs(values[1]).abs_upper()
        is_sharp = abs(gap).abs_upper() <= (scale + 1) / 2 ** (_BITS // 2)
    return (equal if is_sharp else undecided)("agrees_at_point", "identity")


@lru_cache(maxsize=4096)
def coordinate(name: str, point: int, is_integer: bool) -> fmpq:
    """Points 0 to 2 have positive coordinates only, point 3 negative ones, the rest both."""
    dice = random.Random(f"{name}@{point}")  # noqa: S311 - must repeat
    if is_integer:
        return fmpq(dice.randrange(4, 24))
    size = fmpq(dice.randrange(301, 2999), 1009)
    is_negative = point == 3 or (point > 3 and dice.random() < 0.5)
    return -size if is_negative else size


def _integer_symbols(expression: Expr) -> Iterator[str]:
    """Variables that count something: bounds, and exponents of negative numbers."""
    if not isinstance(expression, Op):
        return
    if expression.name in ("sum", "prod"):
        for bound in expression.args[2:]:
            yield from symbols(bound)
    if expression.name == "^" and isinstance(expression.args[0], Op):
        base = expression.args[0]
        if base.name == "neg" and not symbols(base):
            yield from symbols(expression.args[1])
    for argument in expression.args:
        yield from _integer_symbols(argument)
