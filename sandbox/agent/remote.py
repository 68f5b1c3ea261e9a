"""
Stand-ins for objects of the other side of a test.

Whatever Python does with an object becomes a request to the side that has it: attributes, calls,
operators, iteration, `with`. Each remote class has a class here, so that `isinstance`, `except` and
`type(x) is T` work; each remote object has one stand-in at a time, so that `is` does.
"""

import operator
from typing import Any, Protocol

_CONVERSIONS = """
    str repr len iter next reversed enter bool int float complex index bytes neg pos abs invert
    trunc floor ceil round format hash dir length_hint fspath aenter aiter anext
"""
"""What tells the other side nothing about what a test expects."""

_ACCESS = "call getitem setitem delitem exit aexit missing copy deepcopy"

_BINARY = """
    add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift
    radd rsub rmul rtruediv rfloordiv rmod rdivmod rpow rmatmul rand ror rxor rlshift rrshift
    iadd isub imul itruediv ifloordiv imod ipow imatmul iand ior ixor ilshift irshift
    lt le gt ge contains
"""


def _special(names: str) -> frozenset[str]:
    return frozenset(f"__{name}__" for name in names.split())


OPERATORS = _special(_BINARY)
"""What is given another value, which may be the one that a test expects."""

_ADDRESSES = _special("array_interface array_struct")
"""Where numpy is told of memory, which would be this side's own."""

_WOULD_LEARN = "the program's object would learn what the test looks for"

SPECIAL = _special(_CONVERSIONS + _ACCESS) | OPERATORS | {"__eq__"}
"""Special methods that cross. Python looks for them in the class, so they are put there."""


class Ends(Protocol):
    """What stand-ins ask of their side of the link."""

    def request(self, operation: str, target: int, *arguments: Any, **keywords: Any) -> Any:
        """Have the other side do it; what it raises is raised here."""

    def equals(self, one: Any, other: Any) -> Any:
        """Whether a stand-in and any other object are equal."""

    def may_operate(self, one: Any, operands: tuple[Any, ...]) -> bool:
        """Whether the other side's object may see these operands."""

    def made(self, one: Any, kind: Any) -> Any:
        """Note that this object was made by calling a class here, and give it back."""


def is_remote(value: Any) -> bool:
    """Whether `value` stands for an object or a class of the other side."""
    return isinstance(value, RemoteClass) or isinstance(type(value), RemoteClass)


class RemoteClass(type):
    """The class of stand-ins for classes."""

    _ends: Ends
    _id: int

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Make one, over there."""
        return cls._ends.made(cls._ends.request("call", cls._id, *arguments, **keywords), cls)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name not in ("__members__",):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return cls._ends.request("get", cls._id, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._ends.request("set", cls._id, name, value)

    def __delattr__(cls, name: str) -> None:
        cls._ends.request("del", cls._id, name)

    # Of classes that can do it, such as enumerations.

    def __iter__(cls) -> Any:
        return cls._ends.request("op", cls._id, "__iter__")

    def __len__(cls) -> int:
        return operator.index(cls._ends.request("op", cls._id, "__len__"))

    def __getitem__(cls, key: Any) -> Any:
        return cls._ends.request("op", cls._id, "__getitem__", key)

    def __contains__(cls, value: Any) -> bool:
        if not cls._ends.may_operate(cls, (value,)):
            raise TypeError(_WOULD_LEARN)
        return bool(cls._ends.request("op", cls._id, "__contains__", value))

    def __bool__(cls) -> bool:
        return True


class Remote:
    """Base of the classes of stand-ins for objects."""

    def __init_subclass__(cls, *, is_ours: bool = False) -> None:
        if not is_ours:
            raise TypeError("a class of the program cannot be subclassed by its tests")

    def __getattr__(self, name: str) -> Any:
        if name in _ADDRESSES:
            raise AttributeError(name)
        ends, number = _place(self)
        return ends.request("get", number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):  # Python's own notes, such as an exception's traceback
            object.__setattr__(self, name, value)
            return
        ends, number = _place(self)
        ends.request("set", number, name, value)

    def __delattr__(self, name: str) -> None:
        ends, number = _place(self)
        ends.request("del", number, name)

    def __eq__(self, other: object) -> Any:
        return True if self is other else _place(self)[0].equals(self, other)

    def __hash__(self) -> int:
        return hash(_place(self)[1])

    def __copy__(self) -> Any:
        ends, number = _place(self)
        return ends.request("copy", number)

    def __deepcopy__(self, _: Any) -> Any:
        ends, number = _place(self)
        return ends.request("deepcopy", number)


def _place(value: Any) -> tuple[Ends, int]:
    place: tuple[Ends, int] = object.__getattribute__(value, "__dict__")["_place"]
    return place


def number_of(value: Any) -> int:
    """What the other side calls the object that `value` stands for."""
    return value._id if isinstance(value, RemoteClass) else _place(value)[1]


def remote_class(
    ends: Ends, number: int, name: str, bases: tuple[type, ...], special: list[str]
) -> type:
    """A class for stand-ins. TypeError or ValueError if there can be no such class."""
    if not name.isidentifier():
        raise ValueError("a class without a name")
    namespace = {method: _forward(method) for method in special if method in _FORWARDED}
    namespace["__module__"] = "remote"
    if not any(issubclass(base, Remote) for base in bases):
        bases = (Remote, *bases)
    made = type.__new__(RemoteClass, name, bases, namespace, is_ours=True)
    type.__setattr__(made, "_ends", ends)
    type.__setattr__(made, "_id", number)
    type.__setattr__(made, "_special", frozenset(special) & SPECIAL)
    return made


def stand_in(ends: Ends, number: int, kind: type, arguments: tuple[Any, ...]) -> Any:
    """An object of a class that `remote_class` made; `arguments` are an exception's."""
    is_exception = issubclass(kind, BaseException)
    made = kind.__new__(kind, *arguments) if is_exception else object.__new__(kind)
    object.__getattribute__(made, "__dict__")["_place"] = (ends, number)
    return made


def _forward(name: str) -> Any:
    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        ends, number = _place(self)
        if name in OPERATORS and not ends.may_operate(self, arguments):
            if name == "__contains__":
                raise TypeError(_WOULD_LEARN)
            return NotImplemented
        if name == "__call__":
            return ends.request("call", number, *arguments, **keywords)
        if name in ("__exit__", "__aexit__"):  # a traceback would lead to what the test knows
            arguments = (*arguments[:2], None)
        return ends.request("op", number, name, *arguments)

    method.__name__ = name
    return method


_FORWARDED = SPECIAL - {"__eq__"}
