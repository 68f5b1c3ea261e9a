"""
Python values as JSON and back, with a tag for each type that JSON has not.

None, booleans, strings, finite floats and integers are themselves; all else is a list that begins
with its tag. What comes out is of built-in types exactly: a subclass is read by its base's own
accessors, so it cannot lie, and what is no plain data becomes a handle (see `peer`).

Lists, dicts and other containers that can change are numbered in order of appearance over one
exchange (a request with its answer): `["k", 3]` is the one that was number 3. So an argument that
was changed in place is changed for the caller, too, and one that comes back is the same object.
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
from collections.abc import Callable, Iterable
from typing import Any, Protocol

MAX_DEPTH = 100
MAX_RANGE = 1_000_000
"""Longer ranges do not cross: the tests might make a list of one."""

MAX_DECIMAL_BITS = 10_000
"""Larger integers go in hexadecimal: reading decimal digits takes quadratic time."""


class BadValue(Exception):
    """What arrived is no value."""


class Handles(Protocol):
    """Who knows the objects that cross as handles."""

    resolves_names: bool
    """Whether functions that arrive by name are looked up: never by who judges."""

    def refer(self, value: Any, codec: "Codec") -> list[Any]:
        """A handle for `value`."""

    def resolve(self, form: list[Any], codec: "Codec") -> Any:
        """The object, or stand-in of one, that a handle is of."""

    def is_plain(self, kind: type) -> bool:
        """Whether values of this subclass of a built-in type cross as their base's."""


_NAMED = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (
        *(value for value in vars(builtins).values() if isinstance(value, type)),
        *(collections.OrderedDict, collections.Counter, collections.defaultdict, collections.deque),
        *(decimal.Decimal, fractions.Fraction, type(None)),
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
    )
}
"""Classes that both sides have: they cross by name."""

_MODULES = {"builtins": builtins, "math": math, "operator": operator}
"""Functions of these cross by name, towards the program only."""

_FACTS = "year month day hour minute second microsecond"


class Codec:
    """The values of one exchange. Decode in the order in which the other side encoded."""

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._kept: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._before: list[Any] = []

    # ---- encoding

    def encode(self, value: Any, depth: int = 0) -> Any:
        """`value` as JSON. ValueError if it is nested too deeply."""
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int or kind is float:
            return _number(value)
        if depth > MAX_DEPTH:
            raise ValueError(f"a value is nested deeper than {MAX_DEPTH}")
        write = _WRITE.get(kind) or self._write_other(value, kind)
        if write is None:
            return self._handles.refer(value, self)
        if kind not in _IMMUTABLE:
            if id(value) in self._numbers:
                return ["k", self._numbers[id(value)]]
            self._keep(value)
        return write(self, value, depth + 1)

    def _write_other(self, value: Any, kind: type) -> "_Writer | None":
        if issubclass(kind, BaseException) and _NAMED.get(_full_name(kind)) is kind:
            return _write_exception
        if kind.__module__ == "numpy" and (write := _numpy_writer(value, kind)) is not None:
            return write
        base = next((base for base in _WRITE if issubclass(kind, base)), None)
        if base is not None and self._handles.is_plain(kind):
            if base is tuple and isinstance(kind.__dict__.get("_fields"), tuple):
                return _write_named_tuple
            return _WRITE[base]
        if issubclass(kind, int | float | str) and self._handles.is_plain(kind):
            return _write_scalar
        return _by_name(value, kind)

    def _keep(self, value: Any) -> None:
        self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)

    def each(self, values: Iterable[Any], depth: int) -> list[Any]:
        """Encode the items of a container."""
        return [self.encode(value, depth) for value in values]

    # ---- decoding

    def decode(self, form: Any, depth: int = 0) -> Any:
        """The value that was encoded. BadValue if none was."""
        if type(form) is not list:
            if type(form) is dict:
                raise BadValue("an object")
            return form
        if depth > 2 * MAX_DEPTH or not form or type(form[0]) is not str:
            raise BadValue("a form without a tag")
        read = _READ.get(form[0])
        try:
            if read is not None:
                return read(self, form, depth + 1)
            if form[0] in _FILL:
                return self._read_container(form, depth + 1)
            if form[0] == "k":
                return self._kept[_index(form[1])]
            if form[0] == "F" and self._handles.resolves_names:
                return operator.attrgetter(form[2])(_MODULES[form[1]])
            return self._handles.resolve(form, self)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise BadValue(f"{form[0]}: {error}") from error

    def _read_container(self, form: list[Any], depth: int) -> Any:
        tag, *items = form
        factory = None
        if tag in ("q", "D"):  # deque's length, defaultdict's factory
            factory = self.decode(items.pop(0), depth)
        container: Any = _EMPTY[tag](factory)
        self._keep(container)
        _FILL[tag](container, [self.decode(item, depth) for item in items])
        return container

    # ---- changes of arguments

    def remember(self) -> None:
        """Note how the containers that have arrived look."""
        self._before = [_look(value) for value in self._kept]

    def changes(self) -> list[Any]:
        """The containers that look different now."""
        changed = []
        for number, before in enumerate(self._before):
            value = self._kept[number]
            after = _look(value)
            if len(after) != len(before) or any(
                a is not b for a, b in zip(after, before, strict=True)
            ):
                changed.append([number, *self.each(after, 1)])
        return changed

    def apply(self, changes: Any) -> None:
        """Change our containers as the other side's were."""
        for number, *items in changes:
            value = self._kept[_index(number)]
            values = [self.decode(item, 1) for item in items]
            value.clear()
            next(_FILL[tag] for tag, kind in _TYPES.items() if isinstance(value, kind))(
                value, values
            )


_Writer = Callable[[Codec, Any, int], Any]
_Reader = Callable[[Codec, list[Any], int], Any]


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise BadValue("no number")
    return value


def _number(value: Any) -> Any:
    """An int or a float, of whatever subclass."""
    if isinstance(value, int):
        number = int.__index__(value)
        return ["i", hex(number)] if number.bit_length() > MAX_DECIMAL_BITS else number
    real = float.__float__(value)
    return real if math.isfinite(real) else ["f", repr(real)]


def _write_scalar(codec: Codec, value: Any, depth: int) -> Any:
    return str.__str__(value) if isinstance(value, str) else _number(value)


def _pairs(value: Any) -> list[Any]:
    return [part for pair in dict.items(value) for part in pair]


def _look(value: Any) -> list[Any]:
    """What a container holds, flat, as `_FILL` takes it."""
    if isinstance(value, dict):
        return _pairs(value)
    if isinstance(value, bytearray):
        return list(bytes(value))
    return list(value)


def _write_named_tuple(codec: Codec, value: Any, depth: int) -> Any:
    kind = type(value)
    fields = [str(field) for field in kind.__dict__["_fields"]]
    return ["n", kind.__name__, fields, *codec.each(tuple.__iter__(value), depth)]


def _write_exception(codec: Codec, error: Any, depth: int) -> Any:
    kind = type(error)
    attributes = {name: item for name, item in vars(error).items() if not name.startswith("_")}
    return [
        "E",
        _full_name(kind),
        codec.encode(error.args, depth),
        codec.encode(attributes, depth),
    ]


def _write_datetime(codec: Codec, value: Any, depth: int) -> Any:
    if value.tzinfo is not None and type(value.tzinfo) is not datetime.timezone:
        return codec._handles.refer(value, codec)
    offset = None if value.tzinfo is None else value.utcoffset() / datetime.timedelta(seconds=1)
    names = _FACTS.split()
    if isinstance(value, datetime.time):
        return ["T", offset, value.fold, *(getattr(value, name) for name in names[3:])]
    return ["M", offset, value.fold, *(getattr(value, name) for name in names)]


def _by_name(value: Any, kind: type) -> _Writer | None:
    if isinstance(value, type):
        name = _full_name(value)
        return (lambda codec, value, depth: ["c", name]) if _NAMED.get(name) is value else None
    if kind in (types.BuiltinFunctionType, types.MethodDescriptorType):
        owner = getattr(value, "__module__", None) or "builtins"
        try:
            if operator.attrgetter(value.__qualname__)(_MODULES[owner]) is value:
                return lambda codec, value, depth: ["F", owner, value.__qualname__]
        except (KeyError, AttributeError):
            return None
    return None


def _numpy_writer(value: Any, kind: type) -> _Writer | None:
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


_WRITE: dict[type, _Writer] = {
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

_TYPES: dict[str, Any] = {
    "l": list,
    "d": dict,
    "s": set,
    "B": bytearray,
    "O": collections.OrderedDict,
    "C": collections.Counter,
    "D": collections.defaultdict,
    "q": collections.deque,
}
_IMMUTABLE = set(_WRITE) - set(_TYPES.values())
"""Types whose values need no number: nobody can change them. Subclasses get one, which is fine."""

_EMPTY: dict[str, Callable[[Any], Any]] = {
    **{tag: lambda _, kind=kind: kind() for tag, kind in _TYPES.items()},  # type: ignore[misc]
    "D": collections.defaultdict,
    "q": lambda length: collections.deque(maxlen=length),
}


def _fill_dict(value: dict[Any, Any], items: list[Any]) -> None:
    dict.update(value, zip(items[::2], items[1::2], strict=True))


_FILL: dict[str, Callable[[Any, list[Any]], None]] = {
    "l": list.extend,
    "s": set.update,
    "B": bytearray.extend,
    "q": collections.deque.extend,
    **dict.fromkeys("dOCD", _fill_dict),
}


def _read_number(codec: Codec, form: list[Any], depth: int) -> Any:
    return (
        int(form[1], 16)
        if form[0] == "i"
        else {"inf": math.inf, "-inf": -math.inf}.get(form[1], math.nan)
    )


@functools.lru_cache(maxsize=64)
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return collections.namedtuple(name, fields)  # refuses what is no name


def _read_named_tuple(codec: Codec, form: list[Any], depth: int) -> Any:
    _, name, fields, *values = form
    kind = _named_tuple(str(name), tuple(fields))
    return kind(*(codec.decode(value, depth) for value in values))


def _read_exception(codec: Codec, form: list[Any], depth: int) -> BaseException:
    _, name, arguments, attributes = form
    kind = _NAMED[name]
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


def _read_range(codec: Codec, form: list[Any], depth: int) -> range:
    found = range(*(int(part, 16) for part in form[1:4]))
    if len(found) > MAX_RANGE:
        raise BadValue("a range too long")
    return found


def _read_array(codec: Codec, form: list[Any], depth: int) -> Any:
    numpy = importlib.import_module("numpy")
    kind = numpy.dtype(str(form[1]))
    if kind.kind not in "biufcUS":
        raise BadValue("an array of objects")
    return numpy.frombuffer(base64.b64decode(form[3]), kind).reshape(form[2]).copy()


_READ: dict[str, _Reader] = {
    "i": _read_number,
    "f": _read_number,
    "t": lambda codec, form, depth: tuple(codec.decode(item, depth) for item in form[1:]),
    "z": lambda codec, form, depth: frozenset(codec.decode(item, depth) for item in form[1:]),
    "n": _read_named_tuple,
    "b": lambda codec, form, depth: base64.b64decode(form[1], validate=True),
    "j": lambda codec, form, depth: complex(float(form[1]), float(form[2])),
    "m": lambda codec, form, depth: decimal.Decimal(str(form[1])),
    "r": lambda codec, form, depth: fractions.Fraction(int(form[1], 16), int(form[2], 16)),
    "y": lambda codec, form, depth: datetime.date(*form[1:4]),
    "M": lambda codec, form, depth: _placed(datetime.datetime(*form[3:10]), form),
    "T": lambda codec, form, depth: _placed(datetime.time(*form[3:7]), form),
    "p": lambda codec, form, depth: datetime.timedelta(*form[1:4]),
    "R": _read_range,
    "S": lambda codec, form, depth: slice(*(codec.decode(item, depth) for item in form[1:4])),
    "e": lambda codec, form, depth: ...,
    "N": lambda codec, form, depth: NotImplemented,
    "E": _read_exception,
    "c": lambda codec, form, depth: _NAMED[form[1]],
    "a": _read_array,
}
