"""
Expressions as intervals of certain width: ball arithmetic of FLINT.

Two disjoint balls prove that two numbers differ. No absolute tolerance exists
here: 10^-30 is not 0. Real values are computed over the reals first, so that a
logarithm or root of a negative number has no value there.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from flint import acb, arb, ctx, fmpq

from reward_service.verifiers.math.exact import (
    MAX_TERMS,
    NotRational,
    TooLarge,
    Undefined,
    rational,
)
from reward_service.verifiers.math.tree import Expr, Num, Op, Sym

PRECISIONS = (128, 1088)
"""Bits. The second decides: two numbers that agree to 1,024 bits are taken as equal."""

_MAX_EXPONENT = 10**7  # of results as powers of two: 10^(10^7) has no place in an answer
_LOCK = threading.RLock()


class NotEvaluable(ValueError):
    """The expression has no numerical meaning here."""


def _renew_lock() -> None:
    # A forked child must not wait for a thread that it does not have.
    global _LOCK
    _LOCK = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """FLINT's precision is global to the process, so one thread at a time computes with balls."""
    with _LOCK:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


class Evaluator:
    """Values of expressions over the reals (`arb`) or the complex numbers (`acb`)."""

    def __init__(self, bindings: Mapping[str, fmpq] | None = None, *, is_complex: bool) -> None:
        self.bindings = dict(bindings or {})
        self.is_complex = is_complex
        self.field: Any = acb if is_complex else arb
        self.terms = 0

    def value(self, expression: Expr) -> Any:
        """A finite ball; raises Undefined, TooLarge or NotEvaluable."""
        result = self.field(self._value(expression))
        if not result.is_finite():
            raise Undefined
        return result

    def _value(self, expression: Expr) -> Any:
        if isinstance(expression, Num):
            return self.field(expression.value)
        if isinstance(expression, Sym):
            return self._symbol(expression.name)
        if expression.name in ("sum", "prod"):
            return self._series(expression)
        if expression.name in ("^", "root"):
            return self._power(expression)
        operation = _OPERATIONS.get(expression.name)
        if operation is None and expression.name.startswith(("call ", "prime")):
            operation = _unknown_function(expression.name)
        if operation is None:
            raise NotEvaluable(expression.name)
        result = operation([self._value(argument) for argument in expression.args])
        return self._checked(result)

    def _checked(self, result: Any) -> Any:
        if not result.is_finite():
            raise Undefined
        if abs(result.real).mid() > arb(2) ** _MAX_EXPONENT:
            raise TooLarge
        return result

    def _symbol(self, name: str) -> Any:
        if name in self.bindings:
            return self.field(self.bindings[name])
        if name == "pi":
            return self.field(arb.pi())
        if name == "e":
            return self.field(arb(1).exp())
        if name == "i" and self.is_complex:
            return acb(0, 1)
        if name == "oo":
            raise Undefined
        raise NotEvaluable(name)

    def _power(self, expression: Op) -> Any:
        base = self._value(expression.args[0])
        try:
            exponent = rational(expression.args[1], self.bindings)
            if expression.name == "root":
                exponent = 1 / exponent
        except (NotRational, ZeroDivisionError):
            return self._general_power(base, self._value(expression.args[1]), expression.name)
        if abs(exponent) * 64 > _MAX_EXPONENT * 64:
            raise TooLarge
        if exponent.q == 1:
            if exponent < 0 and base.contains(0):
                raise Undefined
            return self._checked(base ** int(exponent.p))
        if not self.is_complex and base < 0 and exponent.q % 2 == 1:
            root = (-base) ** arb(exponent)  # the real root of a negative number
            return root if exponent.p % 2 == 0 else -root
        if not self.is_complex and base == 0 and exponent > 0:
            return base
        if exponent == fmpq(1, 2):
            return self._checked(base.sqrt())
        return self._checked(base ** self.field(exponent))

    def _general_power(self, base: Any, exponent: Any, name: str) -> Any:
        if name == "root":
            exponent = 1 / exponent
        if abs(exponent.real) * (abs(base).log().abs_upper() if base != 0 else 1) > _MAX_EXPONENT:
            raise TooLarge
        return self._checked(base**exponent)

    def _series(self, expression: Op) -> Any:
        body, variable, lower, upper = expression.args
        try:
            first, last = rational(lower, self.bindings), rational(upper, self.bindings)
        except NotRational:
            raise NotEvaluable(expression.name) from None
        if first.q != 1 or last.q != 1 or not isinstance(variable, Sym):
            raise NotEvaluable(expression.name)
        self.terms += max(int(last.p - first.p) + 1, 0)
        if self.terms > MAX_TERMS // 4:
            raise TooLarge
        outer = self.bindings.get(variable.name)
        result = self.field(0 if expression.name == "sum" else 1)
        for index in range(int(first.p), int(last.p) + 1):
            self.bindings[variable.name] = fmpq(index)
            term = self._value(body)
            result = result + term if expression.name == "sum" else result * term
        self.bindings.pop(variable.name, None)
        if outer is not None:
            self.bindings[variable.name] = outer
        return result


def _plus(values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result


def _times(values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result


def _divide(values: list[Any]) -> Any:
    if values[1].contains(0):
        raise Undefined
    return values[0] / values[1]


def _log(values: list[Any]) -> Any:
    return values[0].log() / values[1].log() if len(values) > 1 else values[0].log()


def _real(value: Any, name: str) -> Any:
    """The number as a real one, for functions that need an order."""
    if isinstance(value, acb):
        if not value.imag.is_zero():
            raise NotEvaluable(name)
        return value.real
    return value


def _extreme(values: list[Any], name: str) -> Any:
    result, *others = (_real(value, name) for value in values)
    for value in others:
        result = getattr(result, name)(value)
    return result


def _factorial(values: list[Any]) -> Any:
    if abs(values[0].real) > 10**6:
        raise TooLarge
    return (values[0] + 1).gamma()


def _binomial(values: list[Any]) -> Any:
    top, bottom = values
    if abs(top.real) > 10**6 or abs(bottom.real) > 10**6:
        raise TooLarge
    return (top + 1).gamma() * (bottom + 1).rgamma() * (top - bottom + 1).rgamma()


@lru_cache(maxsize=256)
def _unknown_function(name: str) -> Callable[[list[Any]], Any]:
    """A function of no special property in the place of f, the same one for the same name."""
    dice = random.Random(name)  # noqa: S311 - must repeat
    stretch, shift, slope = (fmpq(dice.randrange(301, 2999), 1009) for _ in range(3))

    def apply(values: list[Any]) -> Any:
        total = arb(0)
        for place, value in enumerate(values):
            total = total + value * (place + 1)
        return (total * stretch + shift).sin() + total * slope

    return apply


def _rounded(name: str) -> Callable[[list[Any]], Any]:
    def apply(values: list[Any]) -> Any:
        value = _real(values[0], name)
        result = value.floor() if name == "floor" else value.ceil()
        if not result.is_exact():  # the ball holds a jump
            raise NotEvaluable(name)
        return result

    return apply


def _method(name: str) -> Callable[[list[Any]], Any]:
    return lambda values: getattr(values[0], name)()


_OPERATIONS: dict[str, Callable[[list[Any]], Any]] = {
    "+": _plus,
    "*": _times,
    "/": _divide,
    "neg": lambda values: -values[0],
    "abs": lambda values: abs(values[0]),
    "percent": lambda values: values[0] / 100,
    "deg": lambda values: values[0] * arb.pi() / 180,
    "log": _log,
    "max": lambda values: _extreme(values, "max"),
    "min": lambda values: _extreme(values, "min"),
    "ln": _log,
    "!": _factorial,
    "binom": _binomial,
    "floor": _rounded("floor"),
    "ceil": _rounded("ceil"),
    "arccot": lambda values: (1 / values[0]).atan(),
    **{name: _method(name) for name in ("sin", "cos", "tan", "cot", "sec", "csc", "exp")},
    **{name: _method(name) for name in ("sinh", "cosh", "tanh", "coth")},
    **{f"arc{name}": _method(f"a{name}") for name in ("sin", "cos", "tan")},
}
