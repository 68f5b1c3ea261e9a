"""
Python values as JSON and back, with a tag for each type that JSON has not.

None, booleans, strings, finite floats and integers are themselves; all else is a list that begins
with its tag. What comes out is of built-in types exactly: a subclass is read by its base's own
accessors, so it cannot lie, and what is no plain data becomes a handle (see `peer`).

Lists, dicts and other containers that can change are numbered in order of appearance over one
exchange (a request with its answer): `["k", 3]` is the one that was number 3. So an argument that
was changed in place is changed for the caller, too, and one that comes back is the same object.
"""

import operator
from collections.abc import Iterable
from typing import Any, Protocol

from sandbox.agent.forms import (
    EMPTY,
    FILL,
    MODULES,
    MUTABLE,
    NAMED,
    READ,
    TYPES,
    WRITE,
    BadValue,
    Writer,
    by_name,
    full_name,
    index,
    look,
    number,
    numpy_writer,
    write_exception,
    write_named_tuple,
    write_scalar,
)

MAX_DEPTH = 100
MAX_FORMS = 1 << 20
"""Values with a tag in one exchange: reading so many takes about a second."""


class Handles(Protocol):
    """Who knows the objects that cross as handles."""

    resolves_names: bool
    """Whether functions that arrive by name are looked up: never by who judges, so that the other
    side sends it none."""

    def refer(self, value: Any, codec: "Codec") -> list[Any]:
        """A handle for `value`."""

    def resolve(self, form: list[Any], codec: "Codec") -> Any:
        """The object, or stand-in of one, that a handle is of."""

    def is_plain(self, kind: type) -> bool:
        """Whether values of this subclass of a built-in type cross as their base's."""


class Codec:
    """The values of one exchange. Decode in the order in which the other side encoded."""

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._kept: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._before: list[Any] = []
        self._forms = 0

    # ---- encoding

    def encode(self, value: Any, depth: int = 0) -> Any:
        """`value` as JSON. ValueError if it is nested too deeply."""
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int or kind is float:
            return number(value)
        if depth > MAX_DEPTH:
            raise ValueError(f"a value is nested deeper than {MAX_DEPTH}")
        write = WRITE.get(kind) or self._write_other(value, kind)
        if write is None:
            return self.refer(value)
        if issubclass(kind, MUTABLE):
            if id(value) in self._numbers:
                return ["k", self._numbers[id(value)]]
            self._keep(value)
        return write(self, value, depth + 1)

    def _write_other(self, value: Any, kind: type) -> "Writer | None":
        if issubclass(kind, BaseException) and NAMED.get(full_name(kind)) is kind:
            return write_exception
        if kind.__module__ == "numpy" and (write := numpy_writer(value, kind)) is not None:
            return write
        base = next((base for base in WRITE if issubclass(kind, base)), None)
        if base is not None and self._handles.is_plain(kind):
            if base is tuple and isinstance(kind.__dict__.get("_fields"), tuple):
                return write_named_tuple
            return WRITE[base]
        if issubclass(kind, int | float | str) and self._handles.is_plain(kind):
            return write_scalar
        return by_name(value, kind, are_functions_known=not self._handles.resolves_names)

    def _keep(self, value: Any) -> None:
        self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)

    def refer(self, value: Any) -> list[Any]:
        """A handle, for what is no plain data."""
        return self._handles.refer(value, self)

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
        self._forms += 1
        if self._forms > MAX_FORMS:
            raise BadValue(f"more than {MAX_FORMS} values within each other")
        read = READ.get(form[0])
        try:
            if read is not None:
                return read(self, form, depth + 1)
            if form[0] in FILL:
                return self._read_container(form, depth + 1)
            if form[0] == "k":
                return self._kept[index(form[1])]
            if form[0] == "F" and self._handles.resolves_names:
                return operator.attrgetter(form[2])(MODULES[form[1]])
            return self._handles.resolve(form, self)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise BadValue(f"{form[0]}: {error}") from error

    def _read_container(self, form: list[Any], depth: int) -> Any:
        tag, *items = form
        factory = None
        if tag in ("q", "D"):  # deque's length, defaultdict's factory
            factory = self.decode(items.pop(0), depth)
        container: Any = EMPTY[tag](factory)
        self._keep(container)
        FILL[tag](container, [self.decode(item, depth) for item in items])
        return container

    # ---- changes of arguments

    def remember(self) -> None:
        """Note how the containers that have arrived look."""
        self._before = [look(value) for value in self._kept]

    def changes(self) -> list[Any]:
        """The containers that look different now."""
        changed = []
        for place, before in enumerate(self._before):
            value = self._kept[place]
            after = look(value)
            if len(after) != len(before) or any(
                a is not b for a, b in zip(after, before, strict=True)
            ):
                changed.append([place, *self.each(after, 1)])
        return changed

    def apply(self, changes: Any) -> None:
        """Change our containers as the other side's were."""
        for place, *items in changes:
            value = self._kept[index(place)]
            values = [self.decode(item, 1) for item in items]
            value.clear()
            next(FILL[tag] for tag, kind in TYPES.items() if isinstance(value, kind))(value, values)
