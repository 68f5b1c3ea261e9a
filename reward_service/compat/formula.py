"""The arithmetic of a `multi` grader's `calculate_output`, without evaluating it as Python."""

import ast
import math
import operator
from collections.abc import Callable, Mapping

MAX_FORMULA = 2_000

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}


_UNREADABLE = (
    ArithmeticError,
    RecursionError,
    SyntaxError,
    SystemError,  # CPython 3.11 miscounts its depth after a text that was too deep
    TypeError,
    ValueError,
)


class BadFormula(Exception):
    """It cannot be read, or not be calculated with these values."""


def calculate(formula: str, values: Mapping[str, float]) -> float:
    """The value of `formula`. Raises BadFormula, and KeyError for a name without a value."""
    try:
        tree = ast.parse(formula[:MAX_FORMULA].replace("^", "**").strip(), mode="eval")
        result = float(_value(tree.body, values))
    except _UNREADABLE as error:
        raise BadFormula(str(error)) from error
    if not math.isfinite(result):
        raise BadFormula("the result is not finite")
    return result


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, values) for arg in args))
    raise BadFormula(f"`{type(node).__name__}` is no arithmetic")
