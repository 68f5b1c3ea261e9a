"""
Rust types and signatures, read strictly from hostile text.

What comes out is put together from the words of this module. In types, the lifetime `'_` stands
for every lifetime; where the judge keeps a result it becomes `'static`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.two_box.base import MAX_TYPE
from sandbox.two_box.tokens import Cursor, NotThis, Token, end_of_group

_PRIMITIVES = frozenset(
    f"{sign}{size}" for sign in "iu" for size in ("8", "16", "32", "64", "128", "size")
) | {"f32", "f64", "bool", "char", "String"}
_GENERIC: Mapping[str, tuple[str, int]] = {
    "Vec": ("Vec", 1),
    "Option": ("Option", 1),
    "Box": ("Box", 1),
    "Result": ("Result", 2),
    "HashMap": ("std::collections::HashMap", 2),
    "BTreeMap": ("std::collections::BTreeMap", 2),
    "HashSet": ("std::collections::HashSet", 1),
    "BTreeSet": ("std::collections::BTreeSet", 1),
    "VecDeque": ("std::collections::VecDeque", 1),
}
_MODULES = frozenset(("std", "collections", "vec", "option", "result", "string", "boxed", "alloc"))
_MAX_DEPTH = 12
_MAX_TUPLE = 6
_MAX_PARAMETERS = 20

Aliases = Mapping[str, list[Token]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """`wire` is what travels, `declared` what the stand-in takes; `{}` stands for the argument."""

    wire: str
    declared: str
    passed: str = "{}"
    sent_back: str = ""
    """How the judge takes the argument back, if the call may have changed it."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function; `result` is empty if it returns nothing."""

    name: str
    parameters: tuple[Parameter, ...]
    result: str
    taken: str
    """How the judge reads the result."""


def read_type(cursor: Cursor, aliases: Aliases, depth: int = 0) -> str:
    """A type in its full name; NotThis if its values cannot be handed over."""
    found = _type(cursor, aliases, depth)
    if len(found) > MAX_TYPE:
        raise NotThis("a type that is too long")
    return found


def _type(cursor: Cursor, aliases: Aliases, depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise NotThis("types nested too deeply")
    if cursor.accept("&"):
        _skip_lifetime(cursor)
        if not cursor.accept("str"):
            raise NotThis("a reference inside a type")
        return "&'_ str"
    if cursor.accept("("):
        return _tuple(cursor, aliases, depth)
    if cursor.accept("["):
        return _array(cursor, aliases, depth)
    while cursor.peek().text in _MODULES and cursor.peek(1).text == "::":
        cursor.take()
        cursor.take()
    name = cursor.name()
    if name in aliases:
        inner = Cursor(aliases[name])
        found = read_type(inner, aliases, depth + 1)
        if inner.peek().kind != "end":
            raise NotThis(f"{name} is no plain type")
        return found
    if name in _PRIMITIVES:
        return name
    if name not in _GENERIC:
        raise NotThis(f"values of type {name} cannot be handed over")
    full, count = _GENERIC[name]
    cursor.expect("<")
    arguments = [read_type(cursor, aliases, depth + 1)]
    while cursor.accept(","):
        arguments.append(read_type(cursor, aliases, depth + 1))
    cursor.expect(">")
    if len(arguments) != count:
        raise NotThis(f"{name} takes another number of types")
    return f"{full}<{', '.join(arguments)}>"


def _skip_lifetime(cursor: Cursor) -> None:
    if cursor.peek().kind == "lifetime":
        cursor.take()


def _tuple(cursor: Cursor, aliases: Aliases, depth: int) -> str:
    parts: list[str] = []
    while not cursor.accept(")"):
        if parts:
            cursor.expect(",")
            if cursor.accept(")"):
                break
        parts.append(read_type(cursor, aliases, depth + 1))
    if len(parts) > _MAX_TUPLE:
        raise NotThis("a tuple of so many parts")
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


def _array(cursor: Cursor, aliases: Aliases, depth: int) -> str:
    item = read_type(cursor, aliases, depth + 1)
    cursor.expect(";")
    size = cursor.take().text
    if not re.fullmatch(r"[0-9]{1,4}", size):
        raise NotThis("an array's size is a plain number")
    cursor.expect("]")
    return f"[{item}; {int(size)}]"


def read_function(cursor: Cursor, aliases: Aliases) -> Function:
    """`fn NAME(…) -> …` up to its body; generic over nothing but lifetimes."""
    name = read_head(cursor)
    parameters = read_parameters(cursor, aliases)
    result = _result(cursor, aliases) if cursor.accept("->") else ("", "reply.take::<()>()")
    if cursor.peek().text not in ("{", "where"):
        raise NotThis("no body")
    return Function(name, parameters, *result)


def read_head(cursor: Cursor) -> str:
    """The name of the function that begins here; what follows are its parameters."""
    cursor.expect("fn")
    name = cursor.name()
    if cursor.accept("<"):
        while not cursor.accept(">"):
            if cursor.take().kind != "lifetime" and not cursor.accept(","):
                raise NotThis("a generic function")
            cursor.accept(",")
    cursor.expect("(")
    return name


def read_parameters(cursor: Cursor, aliases: Aliases) -> tuple[Parameter, ...]:
    """What a function takes, up to the closing parenthesis."""
    parameters: list[Parameter] = []
    while not cursor.accept(")"):
        if parameters:
            cursor.expect(",")
            if cursor.accept(")"):
                break
        if len(parameters) == _MAX_PARAMETERS:
            raise NotThis("too many parameters")
        parameters.append(_parameter(cursor, aliases))
    return tuple(parameters)


def read_aliases(tokens: list[Token]) -> Aliases:
    """What `type NAME = …;` stands for, by name, outside of braces."""
    aliases: dict[str, list[Token]] = {}
    at = 0
    while at < len(tokens):
        cursor = Cursor(tokens, at)
        if cursor.accept("type") and cursor.take().kind == "name" and cursor.accept("="):
            begin = cursor.at
            while cursor.at < len(tokens) and cursor.peek().text != ";":
                cursor.skip()
            aliases[tokens[at + 1].text] = tokens[begin : cursor.at]
            at = cursor.at
        else:
            at = end_of_group(tokens, at) if tokens[at].text == "{" else at + 1
    return aliases


def _parameter(cursor: Cursor, aliases: Aliases) -> Parameter:
    cursor.accept("mut")
    cursor.name()
    cursor.expect(":")
    if not _is_reference(cursor):
        wire = read_type(cursor, aliases)
        return Parameter(wire, wire)
    cursor.take()
    _skip_lifetime(cursor)
    is_mutable = cursor.accept("mut")
    sign = "&mut " if is_mutable else "&"
    if _is_slice(cursor):
        item = _slice_item(cursor, aliases)
        back = f"reply.take_into::<{item}>(a{{}});" if is_mutable else ""
        return Parameter(f"Vec<{item}>", f"{sign}[{item}]", f"{sign}{{}}", back)
    wire = read_type(cursor, aliases)
    back = f"*a{{}} = reply.take::<{wire}>();" if is_mutable else ""
    return Parameter(wire, f"{sign}{wire}", f"{sign}{{}}", back)


def _result(cursor: Cursor, aliases: Aliases) -> tuple[str, str]:
    """As declared, and how the judge reads it."""
    if not _is_reference(cursor):
        wire = _lasting(read_type(cursor, aliases))
        return wire, f"reply.take::<{wire}>()"
    cursor.take()
    _skip_lifetime(cursor)
    if _is_slice(cursor):
        item = _lasting(_slice_item(cursor, aliases))
        return f"&'static [{item}]", f"reply.lasting_slice::<{item}>()"
    wire = _lasting(read_type(cursor, aliases))
    return f"&'static {wire}", f"reply.lasting::<{wire}>()"


def _lasting(text: str) -> str:
    return text.replace("'_", "'static")


def _is_reference(cursor: Cursor) -> bool:
    """Whether a reference is next that is not `&str`, which is a type of its own here."""
    ahead = 2 if cursor.peek(1).kind == "lifetime" else 1
    return cursor.peek().text == "&" and cursor.peek(ahead).text != "str"


def _is_slice(cursor: Cursor) -> bool:
    """Whether `[T]` is next, not `[T; N]`."""
    if cursor.peek().text != "[":
        return False
    ahead, depth = 1, 1
    while depth and cursor.peek(ahead).kind != "end":
        text = cursor.peek(ahead).text
        if text == ";" and depth == 1:
            return False
        depth += (text in "([") - (text in ")]")
        ahead += 1
    return True


def _slice_item(cursor: Cursor, aliases: Aliases) -> str:
    cursor.expect("[")
    item = read_type(cursor, aliases)
    cursor.expect("]")
    return item
