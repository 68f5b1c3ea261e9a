"""
Compares what a function returned with what was expected: typed JSON, outside the sandbox.
"""

import json
import math
from typing import Any

TOLERANCE = 1e-9
"""A float may differ by this times the larger of 1 and the expected value's size."""


def parse_result(text: bytes) -> Any:
    """Read what the driver sent. ValueError if the program sent something else."""
    try:
        return json.loads(text, object_hook=_unmarked)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unmarked(found: dict[str, Any]) -> Any:
    """Integers too long for decimal digits come as `{"$int": "0x…"}`, and a dict with a key that
    starts with `$` as `{"$dict": [[key, value], …]}`."""
    match found:
        case {"$int": str(digits)}:
            return int(digits, 16)
        case {"$dict": list(pairs)}:
            return _dict_of(pairs)
    return found


def _dict_of(pairs: list[Any]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        match pair:
            case [str(key), value]:
                found[key] = value
            case _:
                raise ValueError("no pair of a key and a value")
    return found


def equal(expected: Any, got: Any) -> bool:
    """Whether `got` is right where `expected` is the reference.

    Types count: `true` is not 1 and "3" is not 3. An integer is right where a float is expected; a
    float, even a whole one, is not where an integer is. Tuples are lists. NaN equals NaN only.
    """
    match expected:
        case None | bool() | str():
            return type(got) is type(expected) and bool(got == expected)
        case int():
            return type(got) is int and got == expected
        case float():
            return type(got) in (int, float) and _close(expected, got)
        case list() | tuple():
            return (
                type(got) is list
                and len(got) == len(expected)
                and all(equal(a, b) for a, b in zip(expected, got, strict=True))
            )
        case dict():
            return (
                type(got) is dict
                and got.keys() == {str(key) for key in expected}
                and all(equal(value, got[str(key)]) for key, value in expected.items())
            )
    raise ValueError(f"an expected value of type {type(expected).__name__} is no JSON")


def _close(expected: float, got: float) -> bool:
    if math.isnan(expected) or math.isinf(expected):
        return repr(float(expected)) == repr(got)
    try:
        # Written so that NaN is rejected.
        return abs(got - expected) <= TOLERANCE * max(1.0, abs(expected))
    except OverflowError:  # an integer beyond any float
        return False
