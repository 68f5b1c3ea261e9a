"""
Expressions that are rational numbers, worked out exactly.

Every operation has a stated cap, so that no answer can buy more than a few
milliseconds: results above `MAX_BITS` bits are TooLarge before they are made.
"""

from collections.abc import Callable

from flint import fmpq, fmpz

from reward_service.verifiers.math.tree import Expr, Num, Op, Sym

MAX_BITS = 200_000
MAX_FACTORIAL = 3_000
MAX_TERMS = 2_000
"""Terms of one sum or product; nested ones share the allowance."""

Bindings = dict[str, fmpq]


class NotRational(ValueError):
    """The expression is no rational number, or not by the operations known here."""


class TooLarge(ValueError):
    """The value, or the work for it, is beyond the caps."""


class Undefined(ValueError):
    """The expression has no value, as 1/0 has none."""


def rational(expression: Expr, bindings: Bindings | None = None) -> fmpq:
    """The value of `expression`; raises NotRational, TooLarge or Undefined."""
    return _value(expression, bindings or {})


def _value(expression: Expr, bindings: Bindings) -> fmpq:
    if isinstance(expression, Num):
        return expression.value
    if isinstance(expression, Sym):
        if expression.name in bindings:
            return bindings[expression.name]
        if expression.name == "oo":
            raise Undefined
        raise NotRational
    if expression.name in ("sum", "prod"):
        return _series(expression, bindings)
    operation = _OPERATIONS.get(expression.name)
    if operation is None:
        raise NotRational
    return operation([_value(argument, bindings) for argument in expression.args])


def bits(value: fmpq) -> int:
    """Bits of numerator and denominator together."""
    return int(value.p.bit_length() + value.q.bit_length())


def _capped(value: fmpq) -> fmpq:
    if bits(value) > MAX_BITS:
        raise TooLarge
    return value


def _sum(values: list[fmpq]) -> fmpq:
    return _capped(sum(values, fmpq(0)))


def _product(values: list[fmpq]) -> fmpq:
    result = fmpq(1)
    for value in values:
        result = _capped(result * value)
    return result


def _quotient(values: list[fmpq]) -> fmpq:
    top, bottom = values
    if bottom == 0:
        raise Undefined
    return _capped(top / bottom)


def _power(values: list[fmpq]) -> fmpq:
    base, exponent = values
    if exponent.q != 1:
        raise NotRational
    if base == 0 and exponent <= 0:
        raise Undefined
    if base in (0, 1):
        return base
    if base == -1:
        return fmpq(-1 if int(exponent.p) % 2 else 1)
    if abs(exponent) * bits(base) > MAX_BITS:
        raise TooLarge
    return base ** int(exponent.p)


def whole(value: fmpq) -> int:
    """`value` as an int; raises NotRational where it is none."""
    if value.q != 1:
        raise NotRational
    return int(value.p)


def _factorial(values: list[fmpq]) -> fmpq:
    count = whole(values[0])
    if count < 0:
        raise Undefined
    if count > MAX_FACTORIAL:
        raise TooLarge
    return fmpq(fmpz.fac_ui(count))  # type: ignore[arg-type]  # the stub says fmpz


def _binomial(values: list[fmpq]) -> fmpq:
    top, bottom = whole(values[0]), whole(values[1])
    if top < 0 or bottom < 0:
        raise NotRational
    if bottom > top:
        return fmpq(0)
    if top >= 2**63 or min(bottom, top - bottom) * max(top.bit_length(), 1) > MAX_BITS:
        raise TooLarge
    return fmpq(fmpz.bin_uiui(top, bottom))


def _gcd(values: list[fmpq]) -> fmpq:
    result = 0
    for value in values:
        result = int(fmpz(result).gcd(fmpz(whole(value))))
    return fmpq(result)


def _lcm(values: list[fmpq]) -> fmpq:
    result = 1
    for value in values:
        result = int(fmpz(result).lcm(fmpz(whole(value))))
    return _capped(fmpq(result))


def _series(expression: Op, bindings: Bindings) -> fmpq:
    body, variable, lower, upper = expression.args
    first, last = (whole(_value(bound, bindings)) for bound in (lower, upper))
    taken = int(bindings.get("#terms", fmpq(1)).p) * max(last - first + 1, 1)
    if taken > MAX_TERMS:
        raise TooLarge
    is_sum = expression.name == "sum"
    result = fmpq(0 if is_sum else 1)
    name = variable.name if isinstance(variable, Sym) else ""
    for index in range(first, last + 1):
        term = _value(body, {**bindings, name: fmpq(index), "#terms": fmpq(taken)})
        result = _capped(result + term if is_sum else result * term)
    return result


_OPERATIONS: dict[str, Callable[[list[fmpq]], fmpq]] = {
    "+": _sum,
    "*": _product,
    "/": _quotient,
    "^": _power,
    "!": _factorial,
    "binom": _binomial,
    "gcd": _gcd,
    "lcm": _lcm,
    "max": max,
    "min": min,
    "neg": lambda values: -values[0],
    "abs": lambda values: abs(values[0]),
    "floor": lambda values: fmpq(values[0].floor()),
    "ceil": lambda values: fmpq(values[0].ceil()),
    "percent": lambda values: values[0] / 100,
}
