"""
The form in which each type of Python value crosses between the two sides of a test; see `codec`.
"""

import base64
import builtins
import collections
import datetime
import decimal
import fractions
import functools
import importlib
import math
import operator
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.agent.codec import Codec

MAX_RANGE = 1_000_000
"""Longer ranges do not cross: the tests might make a list of one."""

MAX_DECIMAL_BITS = 10_000
"""Larger integers go in hexadecimal: reading decimal digits takes quadratic time."""


MAX_BITS = 1 << 23
"""Of an integer that crosses: what tests do with longer ones would take them too long."""
MAX_FRACTION_BITS = 1 << 16
"""Of both parts of a fraction, which is reduced when it is made, in quadratic time."""


class BadValue(Exception):
    """What arrived is no value."""


NAMED = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (
        *(value for value in vars(builtins).values() if isinstance(value, type)),
        *(collections.OrderedDict, collections.Counter, collections.defaultdict, collections.deque),
        *(decimal.Decimal, fractions.Fraction, type(None)),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    )
}
"""Classes that both sides have: they cross by name."""

MODULES = {"builtins": builtins, "math": math, "operator": operator}
"""Functions of these cross by name, towards the program only."""

_FACTS = "year month day hour minute second microsecond"

Writer = Callable[["Codec", Any, int], Any]
Reader = Callable[["Codec", list[Any], int], Any]


def full_name(kind: type) -> str:
    """A class's module and name."""
    return f"{kind.__module__}.{kind.__qualname__}"


def index(value: Any) -> int:
    """A place in a list, from the other side. BadValue if it is none."""
    if type(value) is not int or value < 0:
        raise BadValue("no number")
    return value


def number(value: Any) -> Any:
    """An int or a float, of whatever subclass."""
    if isinstance(value, int):
        number = int.__index__(value)
        return ["i", hex(number)] if number.bit_length() > MAX_DECIMAL_BITS else number
    real = float.__float__(value)
    return real if math.isfinite(real) else ["f", repr(real)]


def write_scalar(codec: "Codec", value: Any, depth: int) -> Any:
    """A number or a text, of whatever subclass."""
    return str.__str__(value) if isinstance(value, str) else number(value)


def _pairs(value: Any) -> list[Any]:
    return [part for pair in dict.items(value) for part in pair]


def look(value: Any) -> list[Any]:
    """What a container holds, flat, as `FILL` takes it."""
    if isinstance(value, dict):
        return _pairs(value)
    if isinstance(value, bytearray):
        return list(bytes(value))
    return list(value)


def write_named_tuple(codec: "Codec", value: Any, depth: int) -> Any:
    """Its values with the names of its fields."""
    kind = type(value)
    fields = [str(field) for field in kind.__dict__["_fields"]]
    return ["n", kind.__name__, fields, *codec.each(tuple.__iter__(value), depth)]


def write_exception(codec: "Codec", error: Any, depth: int) -> Any:
    """A built-in exception: its class, arguments and attributes."""
    kind = type(error)
    attributes = {name: item for name, item in vars(error).items() if not name.startswith("_")}
    return [
        "E",
        full_name(kind),
        codec.encode(error.args, depth),
        codec.encode(attributes, depth),
    ]


def _write_datetime(codec: "Codec", value: Any, depth: int) -> Any:
    if value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone:
        return codec.refer(value)
    offset = None if value.tzinfo is None else value.utcoffset() / datetime.timedelta(seconds=1)
    names = _FACTS.split()
    if isinstance(value, datetime.time):
        return ["T", offset, value.fold, *(getattr(value, name) for name in names[3:])]
    return ["M", offset, value.fold, *(getattr(value, name) for name in names)]


def by_name(value: Any, kind: type, *, are_functions_known: bool) -> Writer | None:
    """How to write a class or function that both sides have; None if this is none."""
    if isinstance(value, type):
        name = full_name(value)
        return (lambda codec, value, depth: ["c", name]) if NAMED.get(name) is value else None
    if are_functions_known and kind in (types.BuiltinFunctionType, types.MethodDescriptorType):
        owner = getattr(value, "__module__", None) or "builtins"
        try:
            if operator.attrgetter(value.__qualname__)(MODULES[owner]) is value:
                return lambda codec, value, depth: ["F", owner, value.__qualname__]
        except (KeyError, AttributeError):
            return None
    return None


def numpy_writer(value: Any, kind: type) -> Writer | None:
    """How to write a number or an array of numbers; None if this is neither."""
    numpy = sys.modules["numpy"]
    if issubclass(kind, numpy.generic) and not isinstance(numpy.generic.item(value), numpy.generic):
        return lambda codec, value, depth: codec.encode(numpy.generic.item(value), depth)
    if kind is numpy.ndarray and value.dtype.kind in "biufcUS":
        return lambda codec, value, depth: [
            "a",
            value.dtype.str,
            list(value.shape),
            base64.b64encode(value.tobytes()).decode(),
        ]
    return None


WRITE: dict[type, Writer] = {
    list: lambda codec, value, depth: ["l", *codec.each(list.__iter__(value), depth)],
    tuple: lambda codec, value, depth: ["t", *codec.each(tuple.__iter__(value), depth)],
    collections.OrderedDict: lambda codec, value, depth: ["O", *codec.each(_pairs(value), depth)],
    collections.Counter: lambda codec, value, depth: ["C", *codec.each(_pairs(value), depth)],
    collections.defaultdict: lambda codec, value, depth: [
        "D",
        codec.encode(value.default_factory, depth),
        *codec.each(_pairs(value), depth),
    ],
    dict: lambda codec, value, depth: ["d", *codec.each(_pairs(value), depth)],
    set: lambda codec, value, depth: ["s", *codec.each(set.__iter__(value), depth)],
    frozenset: lambda codec, value, depth: ["z", *codec.each(frozenset.__iter__(value), depth)],
    collections.deque: lambda codec, value, depth: [
        "q",
        value.maxlen,
        *codec.each(collections.deque.__iter__(value), depth),
    ],
    bytes: lambda codec, value, depth: ["b", base64.b64encode(bytes(value)).decode()],
    bytearray: lambda codec, value, depth: ["B", *bytearray.__iter__(value)],
    complex: lambda codec, value, depth: ["j", repr(value.real), repr(value.imag)],
    decimal.Decimal: lambda codec, value, depth: ["m", decimal.Decimal.__str__(value)],
    fractions.Fraction: lambda codec, value, depth: [
        "r",
        hex(value.numerator),
        hex(value.denominator),
    ],
    datetime.datetime: _write_datetime,
    datetime.date: lambda codec, value, depth: ["y", value.year, value.month, value.day],
    datetime.time: _write_datetime,
    datetime.timedelta: lambda codec, value, depth: [
        "p",
        value.days,
        value.seconds,
        value.microseconds,
    ],
    range: lambda codec, value, depth: ["R", *map(hex, (value.start, value.stop, value.step))],
    slice: lambda codec, value, depth: [
        "S",
        *codec.each((value.start, value.stop, value.step), depth),
    ],
    type(...): lambda codec, value, depth: ["e"],
    type(NotImplemented): lambda codec, value, depth: ["N"],
}
"""How to write each type; where one is a subclass of another it comes first."""

TYPES: dict[str, Any] = {
    "l": list,
    "d": dict,
    "s": set,
    "B": bytearray,
    "O": collections.OrderedDict,
    "C": collections.Counter,
    "D": collections.defaultdict,
    "q": collections.deque,
}
MUTABLE = tuple(dict.fromkeys(TYPES.values()))
"""Types whose values are numbered, whoever writes them."""

EMPTY: dict[str, Callable[[Any], Any]] = {
    **{tag: lambda _, kind=kind: kind() for tag, kind in TYPES.items()},  # type: ignore[misc]
    "D": collections.defaultdict,
    "q": lambda length: collections.deque(maxlen=length),
}


def _fill_dict(value: dict[Any, Any], items: list[Any]) -> None:
    dict.update(value, zip(items[::2], items[1::2], strict=True))


FILL: dict[str, Callable[[Any, list[Any]], None]] = {
    "l": list.extend,
    "s": set.update,
    "B": bytearray.extend,
    "q": collections.deque.extend,
    **dict.fromkeys("dOCD", _fill_dict),
}


def _integer(digits: Any, most_bits: int = MAX_BITS) -> int:
    if len(digits) * 4 > most_bits:
        raise BadValue(f"an integer of {len(digits)} hexadecimal digits")
    return int(digits, 16)


def _read_number(codec: "Codec", form: list[Any], depth: int) -> Any:
    return (
        _integer(form[1])
        if form[0] == "i"
        else {"inf": math.inf, "-inf": -math.inf}.get(form[1], math.nan)
    )


@functools.lru_cache(maxsize=64)
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return collections.namedtuple(name, fields)  # refuses what is no name


def _read_named_tuple(codec: "Codec", form: list[Any], depth: int) -> Any:
    _, name, fields, *values = form
    kind = _named_tuple(str(name), tuple(fields))
    return kind(*(codec.decode(value, depth) for value in values))


def _read_exception(codec: "Codec", form: list[Any], depth: int) -> BaseException:
    _, name, arguments, attributes = form
    kind = NAMED[name]
    if not issubclass(kind, BaseException):
        raise BadValue("an exception of a type that is none")
    args = codec.decode(arguments, depth)
    try:
        error = kind(*args)
    except TypeError:
        error = kind.__new__(kind)
        error.args = args
    for attribute, value in codec.decode(attributes, depth).items():
        if not str(attribute).startswith("_"):
            setattr(error, attribute, value)
    return error


def _placed(value: Any, form: list[Any]) -> Any:
    offset = form[1]
    zone = None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))
    return value.replace(tzinfo=zone, fold=form[2])


def _read_range(codec: "Codec", form: list[Any], depth: int) -> range:
    found = range(*(int(part, 16) for part in form[1:4]))
    if len(found) > MAX_RANGE:
        raise BadValue("a range too long")
    return found


def _read_array(codec: "Codec", form: list[Any], depth: int) -> Any:
    numpy = importlib.import_module("numpy")
    kind = numpy.dtype(str(form[1]))
    if kind.kind not in "biufcUS":
        raise BadValue("an array of objects")
    return numpy.frombuffer(base64.b64decode(form[3]), kind).reshape(form[2]).copy()


READ: dict[str, Reader] = {
    "i": _read_number,
    "f": _read_number,
    "t": lambda codec, form, depth: tuple(codec.decode(item, depth) for item in form[1:]),
    "z": lambda codec, form, depth: frozenset(codec.decode(item, depth) for item in form[1:]),
    "n": _read_named_tuple,
    "b": lambda codec, form, depth: base64.b64decode(form[1], validate=True),
    "j": lambda codec, form, depth: complex(float(form[1]), float(form[2])),
    "m": lambda codec, form, depth: decimal.Decimal(str(form[1])),
    "r": lambda codec, form, depth: fractions.Fraction(
        *(_integer(part, MAX_FRACTION_BITS) for part in form[1:3])
    ),
    "y": lambda codec, form, depth: datetime.date(*form[1:4]),
    "M": lambda codec, form, depth: _placed(datetime.datetime(*form[3:10]), form),
    "T": lambda codec, form, depth: _placed(datetime.time(*form[3:7]), form),
    "p": lambda codec, form, depth: datetime.timedelta(*form[1:4]),
    "R": _read_range,
    "S": lambda codec, form, depth: slice(*(codec.decode(item, depth) for item in form[1:4])),
    "e": lambda codec, form, depth: ...,
    "N": lambda codec, form, depth: NotImplemented,
    "E": _read_exception,
    "c": lambda codec, form, depth: NAMED[form[1]],
    "a": _read_array,
}
