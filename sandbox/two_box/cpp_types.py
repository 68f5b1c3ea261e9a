"""
C++ types and signatures, read strictly from hostile text.

What comes out is put together from the words of this module: a type that is not known here, like a
pointer or a class of the submission's, cannot be told to the judge, and its function not called.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.two_box.base import MAX_TYPE
from sandbox.two_box.tokens import Cursor, NotThis, Token, tokenize

_MACRO = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)(\()?[ \t]*(.*)$", re.MULTILINE | re.ASCII
)

_WORDS = {
    "bool": "bool",
    "char": "char",
    "char signed": "signed char",
    "char unsigned": "unsigned char",
    "short": "short",
    "short unsigned": "unsigned short",
    "int": "int",
    "int unsigned": "unsigned int",
    "long": "long",
    "long unsigned": "unsigned long",
    "long long": "long long",
    "long long unsigned": "unsigned long long",
    "float": "float",
    "double": "double",
    "double long": "long double",
}
_BASIC = {word for words in _WORDS for word in words.split()} | {"signed", "unsigned"}

_VIEW = "std::string_view"
_INTEGERS = [f"{sign}int{size}_t" for sign in ("", "u") for size in (8, 16, 32, 64)]
_NAMED = {
    name: f"std::{name}" for name in ("string", "string_view", "size_t", "ptrdiff_t", *_INTEGERS)
}
_TEMPLATES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("vector", "list", "deque", "optional"), (1,)),
    **dict.fromkeys(("set", "multiset", "unordered_set", "unordered_multiset"), (1,)),
    **dict.fromkeys(("map", "multimap", "unordered_map", "unordered_multimap", "pair"), (2,)),
    "tuple": tuple(range(1, 9)),
}
"""Numbers of type arguments."""

C_TEXT = "const char*"

_MAX_DEPTH = 12
_MAX_PARAMETERS = 20
_SPECIFIERS = ("static", "inline", "constexpr", "extern", "virtual", "explicit")


@dataclass(frozen=True, slots=True)
class Parameter:
    """`wire` is what travels, `declared` what the stand-in takes; `{}` stands for the argument."""

    wire: str
    declared: str
    passed: str = "{}"
    is_sent_back: bool = False
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function, a method or a constructor, which has no result."""

    name: str
    result: str
    parameters: tuple[Parameter, ...]
    is_static: bool = False


@dataclass(slots=True)
class Names:
    """What the submission calls types by, besides their own names."""

    aliases: dict[str, list[Token]] = field(default_factory=dict)

    def alias(self, cursor: Cursor) -> None:
        """Take in `using NAME = TYPE;` or `typedef TYPE NAME;`; NotThis for anything else."""
        is_typedef = cursor.accept("typedef")
        if not is_typedef:
            cursor.expect("using")
        tokens = []
        while cursor.peek().text != ";" and cursor.peek().kind != "end":
            tokens.append(cursor.take())
        if is_typedef and len(tokens) > 1 and tokens[-1].kind == "name":
            self.aliases[tokens[-1].text] = tokens[:-1]
        elif len(tokens) > 2 and tokens[1].text == "=" and tokens[0].kind == "name":
            self.aliases[tokens[0].text] = tokens[2:]


def macros(source: str) -> tuple[list[str], Names]:
    """Names of all macros, and those that may stand for a type."""
    names, found = Names(), []
    for match in _MACRO.finditer(source):
        found.append(match[1])
        if match[2] is None and match[3]:
            names.aliases[match[1]] = tokenize(match[3], "cpp")
    return list(dict.fromkeys(found)), names


def read_type(cursor: Cursor, names: Names, active: frozenset[str] = frozenset()) -> str:
    """A type in its full name; `const` is dropped."""
    if len(active) > _MAX_DEPTH:
        raise NotThis("types nested too deeply")
    cursor.accept("const")
    text = cursor.peek().text
    if text in names.aliases and text not in active:
        cursor.take()
        inner = Cursor(names.aliases[text])
        found = read_type(inner, names, active | {text})
        if inner.peek().kind != "end":
            raise NotThis(f"{text} is no plain type")
    elif text in _BASIC:
        found = _basic(cursor)
    else:
        found = _named(cursor, names, active)
    if len(found) > MAX_TYPE:
        raise NotThis("a type that is too long")
    return found


def _basic(cursor: Cursor) -> str:
    words: list[str] = []
    while cursor.peek().text in _BASIC and len(words) < 5:
        words.append(cursor.take().text)
    if set(words) & {"short", "long", "signed", "unsigned"} and words != ["int"]:
        signed = [] if "char" not in words else ["signed"] * ("signed" in words)
        words = [w for w in words if w not in ("int", "signed")] + signed or ["int"]
        words += ["int"] * (words == ["unsigned"])
    try:
        return _WORDS[" ".join(sorted(words))]
    except KeyError:
        raise NotThis(f"no type is {' '.join(words)}") from None


def _named(cursor: Cursor, names: Names, active: frozenset[str]) -> str:
    cursor.accept("::")
    if cursor.peek().text == "std" and cursor.peek(1).text == "::":
        cursor.take()
        cursor.take()
    name = cursor.name()
    if name in _NAMED:
        return _NAMED[name]
    deeper = active | {f"<{len(active)}"}
    if name == "array":
        cursor.expect("<")
        item = read_type(cursor, names, deeper)
        cursor.expect(",")
        size = cursor.take().text
        if not re.fullmatch(r"[0-9]{1,4}", size):
            raise NotThis("an array's size is a plain number")
        cursor.expect(">")
        return f"std::array<{item}, {int(size)}>"
    if name not in _TEMPLATES:
        raise NotThis(f"values of type {name} cannot be handed over")
    cursor.expect("<")
    arguments = [read_type(cursor, names, deeper)]
    while cursor.accept(","):
        arguments.append(read_type(cursor, names, deeper))
    cursor.expect(">")
    if _VIEW in arguments:
        raise NotThis("a string_view inside another type")
    if len(arguments) not in _TEMPLATES[name]:
        raise NotThis(f"{name} takes another number of types")
    return f"std::{name}<{', '.join(arguments)}>"


def read_result(cursor: Cursor, names: Names) -> str:
    """The type of a result: a reference is read as the value it refers to."""
    if cursor.accept("void"):
        return "void"
    is_const = cursor.peek().text == "const"
    found = read_type(cursor, names)
    if cursor.peek().text == "*" and found == "char" and is_const:
        cursor.take()
        return C_TEXT
    cursor.accept("&")
    return "std::string" if found == _VIEW else found


def read_parameter(cursor: Cursor, names: Names) -> Parameter:
    """One parameter, with or without a name and a default."""
    is_const = cursor.peek().text == "const"
    wire = read_type(cursor, names)
    found = _passed(cursor, wire, is_const=cursor.accept("const") or is_const)
    if cursor.peek().kind == "name":
        cursor.take()
    if not cursor.accept("="):
        return found
    while cursor.peek().text not in (",", ")") and cursor.peek().kind != "end":
        cursor.skip()
    return Parameter(found.wire, found.declared, found.passed, found.is_sent_back, True)


def _passed(cursor: Cursor, wire: str, *, is_const: bool) -> Parameter:
    if wire == _VIEW:
        return Parameter("std::string", wire)
    if cursor.accept("&&"):
        return Parameter(wire, f"{wire}&&", "std::move({})")
    if cursor.accept("&"):
        if is_const:
            return Parameter(wire, f"const {wire}&")
        return Parameter(wire, f"{wire}&", is_sent_back=True)
    if cursor.peek().text == "*" and wire == "char" and is_const:
        cursor.take()
        return Parameter("std::string", C_TEXT, "{}.c_str()")
    return Parameter(wire, wire)


def read_function(cursor: Cursor, names: Names, class_name: str | None = None) -> Function:
    """A declaration or the head of a definition, up to its `{` or `;`."""
    is_static = False
    while cursor.peek().text in _SPECIFIERS or cursor.peek().text == "[":
        is_static |= cursor.peek().text == "static"
        cursor.skip()
    is_constructor = class_name is not None and cursor.peek(1).text == "("
    is_trailing = not is_constructor and cursor.accept("auto")
    result = "" if is_constructor or is_trailing else read_result(cursor, names)
    name = cursor.name()
    if is_constructor and name != class_name:
        raise NotThis("a function without a result")
    parameters = _parameters(cursor, names)
    while cursor.accept("const", "noexcept", "override", "final", "&"):
        pass
    if is_trailing:
        cursor.expect("->")
        result = read_result(cursor, names)
    if cursor.peek().text not in ("{", ";", ":", "="):
        raise NotThis("no body")
    return Function(name, result, parameters, is_static)


def _parameters(cursor: Cursor, names: Names) -> tuple[Parameter, ...]:
    cursor.expect("(")
    found: list[Parameter] = []
    if cursor.peek().text == "void" and cursor.peek(1).text == ")":
        cursor.take()
    while not cursor.accept(")"):
        if found:
            cursor.expect(",")
        if len(found) == _MAX_PARAMETERS:
            raise NotThis("too many parameters")
        found.append(read_parameter(cursor, names))
    return tuple(found)
