"""
Calls one function of the program and hands its result out as plain data.

Runs in the jail, next to the program, so nothing here decides anything: whatever arrives on the
result descriptor is data for the service to compare. A program that writes there itself has only
chosen another way to return a value.
"""

import json
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

RESULT_FD = 3
MAX_DEPTH = 64

MAX_DECIMAL_BITS = 10_000
"""Larger integers go in hexadecimal: reading decimal digits takes quadratic time."""


class NotPlainData(Exception):
    """The result holds something that is no JSON."""


def call(module: ModuleType, entry_point: str, request: bytes) -> None:
    """Call `entry_point` on the arguments in `request`, and send what it returns."""
    arguments = json.loads(request)
    function = find(module, entry_point)
    result = function(*arguments["args"], **arguments["kwargs"])
    text = json.dumps(_plain(result, 0)).encode()
    while text:
        text = text[os.write(RESULT_FD, text) :]


def find(module: ModuleType, entry_point: str) -> Callable[..., Any]:
    """`name`, or `Class.method` of an instance made without arguments.

    A bare name that is missing may be a method of a class `Solution`: many data sets are like that.
    """
    head, _, method = entry_point.rpartition(".")
    names = module.__dict__
    if not head and method in names:
        return names[method]  # type: ignore[no-any-return]
    owner = names.get(head or "Solution")
    if not isinstance(owner, type):
        raise NameError(f"the program defines no {entry_point}")  # noqa: TRY004
    return getattr(owner(), method)  # type: ignore[no-any-return]


def _plain(value: Any, depth: int) -> Any:
    """`value` in JSON's types, read by the base classes' own accessors: a subclass cannot lie."""
    kind = type(value)
    if depth > MAX_DEPTH:
        raise NotPlainData(f"the result is nested deeper than {MAX_DEPTH}")
    if value is None or value is True or value is False:
        return value
    if issubclass(kind, int):
        number = int.__index__(value)
        return {"$int": hex(number)} if number.bit_length() > MAX_DECIMAL_BITS else number
    if issubclass(kind, float):
        return float.__float__(value)
    if issubclass(kind, str):
        return str.__str__(value)
    if issubclass(kind, list | tuple):
        items = list.__iter__(value) if issubclass(kind, list) else tuple.__iter__(value)
        return [_plain(item, depth + 1) for item in items]
    if issubclass(kind, dict):
        return _plain_dict(value, depth)
    return _plain_array(value, depth)


def _plain_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in dict.items(value):
        name = _plain(key, MAX_DEPTH)
        if isinstance(name, list | dict):
            raise NotPlainData(f"a key of type {type(key).__name__} is no plain data")
        text = name if isinstance(name, str) else json.dumps(name)
        if text in plain:
            raise NotPlainData(f"two keys are written {text!r}")
        plain[text] = _plain(item, depth + 1)
    if any(text.startswith("$") for text in plain):  # or a dict could be taken for what it spells
        return {"$dict": list(plain.items())}
    return plain


def _plain_array(value: Any, depth: int) -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(type(value), numpy.generic):
        item = numpy.generic.item(value)
        if not isinstance(item, numpy.generic):  # long double has no Python type
            return _plain(item, depth + 1)
    if numpy is not None and issubclass(type(value), numpy.ndarray):
        return _plain(numpy.ndarray.tolist(value), depth + 1)
    raise NotPlainData(f"a value of type {type(value).__name__} is no plain data")
