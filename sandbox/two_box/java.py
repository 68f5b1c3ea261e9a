"""
Java: the judge gets stand-ins for the submission's classes, typed by its signatures.

The stand-ins are imported like a library is, so that a name which the language has, too, is
ambiguous and does not compile: a submission's own `Math` cannot get between a result and its
comparison. The class that the task names as its entry point is imported by its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sandbox.two_box.base import Sources, Uncallable, compares, runtime
from sandbox.two_box.tokens import Cursor, NotThis, Token, check_brackets, end_of_group, tokenize

_IMPORTS = "".join(
    f"import {package}.*;\n"
    for package in (
        "java.util",
        "java.util.function",
        "java.util.stream",
        "java.math",
        "java.io",
        "java.text",
    )
)

_BOXES: Mapping[str, str] = {
    "boolean": "Boolean",
    "byte": "Byte",
    "short": "Short",
    "int": "Integer",
    "long": "Long",
    "float": "Float",
    "double": "Double",
    "char": "Character",
}
_PLAIN: Mapping[str, str] = {
    **{name: f"java.lang.{name}" for name in (*_BOXES.values(), "String", "Object", "Number")},
    "CharSequence": "java.lang.CharSequence",
    "BigInteger": "java.math.BigInteger",
    "BigDecimal": "java.math.BigDecimal",
}
_GENERIC: Mapping[str, int] = {
    **dict.fromkeys(("List", "ArrayList", "LinkedList", "Collection", "Vector", "Stack"), 1),
    **dict.fromkeys(("Set", "HashSet", "LinkedHashSet", "TreeSet", "SortedSet"), 1),
    **dict.fromkeys(("Queue", "Deque", "ArrayDeque", "PriorityQueue", "Optional"), 1),
    **dict.fromkeys(("Map", "HashMap", "LinkedHashMap", "TreeMap", "SortedMap"), 2),
}
_EXCEPTIONS: Mapping[str, str] = {
    "Exception": "java.lang.Exception",
    "Throwable": "java.lang.Throwable",
    "InterruptedException": "java.lang.InterruptedException",
    "CloneNotSupportedException": "java.lang.CloneNotSupportedException",
    "IOException": "java.io.IOException",
}
_MODIFIERS = ("public", "protected", "private", "static", "final", "synchronized", "strictfp")
_TYPE_ARGUMENTS = re.compile(r"<.*>")
_MAX_DEPTH = 12
_MAX_PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class Method:
    """A method, or a constructor, which has no result."""

    name: str
    result: str
    parameters: tuple[str, ...]
    throws: tuple[str, ...]
    is_static: bool


@dataclass(slots=True)
class Class:
    """A class of the submission's, made and used through a number."""

    name: str
    constructors: list[Method] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)


def split(source: str, test_code: str, entry_point: str | None) -> Sources:
    """The two programs. Uncallable if the submission defines nothing that the test code calls."""
    tests = tokenize(test_code, "java")
    used = {token.text for token in tests if token.kind == "name"}
    head = entry_point.partition(".")[0] if entry_point else None
    wanted = {name for name in used - _declared(tests) if not compares(name) or name == head}
    tokens = tokenize(source, "java")
    refusals: dict[str, str] = {}
    classes = _classes(tokens, wanted, used, refusals)
    if not any(each.methods for each in classes):
        why = [f"{name}: {reason}" for name, reason in refusals.items()]
        raise Uncallable("; ".join(why) or "no class and method that the tests call")
    stubs, cases = _texts(classes)
    named = [each.name for each in classes if each.name == head]
    return Sources(
        program=(
            f"{source}\n{_wire()}{runtime('Server.java')}"
            "class RulegradeCalls {\n"
            "static Object answer(int function, Object[] a) throws Throwable {\n"
            f"switch (function) {{\n{cases}\n"
            'default: throw new IllegalStateException("no function");\n}}}\n'
        ),
        judge=_judge(test_code, tests, stubs, named),
    )


def _wire() -> str:
    return runtime("Descriptor.java") + runtime("Wire.java")


def check(test_code: str) -> None:
    """ValueError for test code that is not well formed or has no main."""
    tests = tokenize(test_code, "java")
    check_brackets(tests)
    if not main_class(tests):
        raise ValueError("no class with a method `public static void main(String[])`")


def _declared(tokens: list[Token]) -> set[str]:
    return {
        following.text
        for token, following in pairwise(tokens)
        if token.text in ("class", "interface", "enum", "record") and following.kind == "name"
    }


def _classes(
    tokens: list[Token], wanted: set[str], used: set[str], refusals: dict[str, str]
) -> list[Class]:
    found, at = [], 0
    while at < len(tokens):
        cursor = Cursor(tokens, at)
        if cursor.accept("class") and cursor.peek().text in wanted and cursor.peek().kind == "name":
            name = cursor.name()
            while cursor.peek().text not in ("{", "end") and cursor.peek().kind != "end":
                cursor.take()
            found.append(_members(tokens, cursor.at, Class(name), used, refusals))
        at = end_of_group(tokens, at) if tokens[at].text == "{" else at + 1
    return found


def _members(
    tokens: list[Token], at: int, each: Class, used: set[str], refusals: dict[str, str]
) -> Class:
    end = end_of_group(tokens, at) - 1
    has_constructor = False
    at += 1
    while at < end:
        cursor = Cursor(tokens, at)
        try:
            method = read_method(cursor, each.name)
        except NotThis as reason:
            named = {t.text for t in tokens[at : min(cursor.at + 1, end)]} & used
            refusals |= {name: str(reason) for name in named - {each.name}}
        else:
            has_constructor |= method is None or not method.result
            if method is not None and not method.result:
                each.constructors.append(method)
            elif method is not None and method.name in used:
                each.methods.append(method)
        while at < end and tokens[at].text not in (";", "{"):
            at = end_of_group(tokens, at) if tokens[at].text in ("(", "[") else at + 1
        at = end_of_group(tokens, at) if at < end and tokens[at].text == "{" else at + 1
    if not has_constructor:
        each.constructors = [Method(each.name, "", (), (), is_static=False)]
    return each


def read_method(cursor: Cursor, class_name: str) -> Method | None:
    """A method or a constructor up to its body; NotThis for a field. None if it is private."""
    modifiers = set()
    while cursor.peek().text in _MODIFIERS or cursor.peek().text == "@":
        modifiers.add(cursor.take().text)
        if "@" in modifiers and cursor.peek(-1).text == "@":
            cursor.name()
            cursor.at = cursor.end_of_group()
    is_constructor = cursor.peek().text == class_name and cursor.peek(1).text == "("
    result = "" if is_constructor else "void" if cursor.accept("void") else read_type(cursor)
    name = cursor.name()
    parameters = _parameters(cursor)
    throws = []
    if cursor.accept("throws"):
        throws.append(cursor.name())
        while cursor.accept(","):
            throws.append(cursor.name())
    if cursor.peek().text != "{":
        raise NotThis("no body")
    known = tuple(_EXCEPTIONS[name] for name in throws if name in _EXCEPTIONS)
    if "private" in modifiers:
        return None
    return Method(name, result, parameters, known, "static" in modifiers)


def read_type(cursor: Cursor, depth: int = 0, *, is_argument: bool = False) -> str:
    """A type in its full name; NotThis if its values cannot be handed over."""
    if depth > _MAX_DEPTH:
        raise NotThis("types nested too deeply")
    while cursor.peek().text in ("java", "util", "lang", "math") and cursor.peek(1).text == ".":
        cursor.take()
        cursor.take()
    if is_argument and cursor.accept("?"):
        if cursor.peek().text not in ("extends", "super"):
            return "?"
        bound = cursor.take().text
        return f"? {bound} {read_type(cursor, depth + 1)}"
    name = cursor.name()
    if name in _BOXES:
        found = name
    elif name in _PLAIN:
        found = _PLAIN[name]
    elif name in _GENERIC:
        found = f"java.util.{name}{_arguments(cursor, name, depth)}"
    else:
        raise NotThis(f"values of type {name} cannot be handed over")
    while cursor.peek().text == "[" and cursor.peek(1).text == "]":
        cursor.take()
        cursor.take()
        found += "[]"
    if is_argument and found in _BOXES:
        raise NotThis("a primitive type as an argument")
    return found


def _arguments(cursor: Cursor, name: str, depth: int) -> str:
    if not cursor.accept("<"):
        return ""
    found = [read_type(cursor, depth + 1, is_argument=True)]
    while cursor.accept(","):
        found.append(read_type(cursor, depth + 1, is_argument=True))
    cursor.expect(">")
    if len(found) != _GENERIC[name]:
        raise NotThis(f"{name} takes another number of types")
    return f"<{', '.join(found)}>"


def _parameters(cursor: Cursor) -> tuple[str, ...]:
    cursor.expect("(")
    found: list[str] = []
    while not cursor.accept(")"):
        if found:
            cursor.expect(",")
        if len(found) == _MAX_PARAMETERS:
            raise NotThis("too many parameters")
        cursor.accept("final")
        kind = read_type(cursor)
        is_open = cursor.accept("...")
        cursor.name()
        while cursor.accept("["):
            cursor.expect("]")
            kind += "[]"
        found.append(f"{kind}..." if is_open else kind)
    return tuple(found)


def _texts(classes: list[Class]) -> tuple[str, str]:
    """Stand-ins for the judge, cases for the program."""
    stubs: list[str] = []
    cases: list[str] = []
    for each in classes:
        stubs.append(f"static class {each.name} {{ private final int handle;")
        for method in (*each.constructors, *each.methods):
            stubs.append(_stub(each.name, method, len(cases)))
            cases.append(_case(each.name, method, len(cases)))
        if not each.constructors:
            stubs.append(f"private {each.name}() {{ handle = 0; }}")
        stubs.append("}")
    return "\n".join(stubs), "\n".join(cases)


def _stub(owner: str, method: Method, number: int) -> str:
    head = ", ".join(f"{kind} a{i}" for i, kind in enumerate(method.parameters))
    given = "".join(f", (Object) a{i}" for i in range(len(method.parameters)))
    throws = f" throws {', '.join(method.throws)}" if method.throws else ""
    if not method.result:
        made = f"handle = RulegradeJudge.ask(Integer.class, {number}{given});"
        return f"public {owner}({head}){throws} {{ {made} }}"
    given = given if method.is_static else f", handle{given}"
    erased = _TYPE_ARGUMENTS.sub("", method.result)
    boxed = {"void": "Void", **_BOXES}.get(method.result, erased)
    ask = f"RulegradeJudge.ask({boxed}.class, {number}{given})"
    body = f"{ask};" if method.result == "void" else f"return ({method.result}) {ask};"
    static = "static " if method.is_static else ""
    return f"public {static}{method.result} {method.name}({head}){throws} {{ {body} }}"


def _case(owner: str, method: Method, number: int) -> str:
    first = int(bool(method.result) and not method.is_static)
    kinds = [kind.replace("...", "[]") for kind in method.parameters]
    given = ", ".join(f"({kind}) a[{first + i}]" for i, kind in enumerate(kinds))
    if not method.result:
        return f"case {number}: return RulegradeServer.keep(new {owner}({given}));"
    target = owner if method.is_static else f"(({owner}) RulegradeServer.THINGS.get((int) a[0]))"
    call = f"{target}.{method.name}({given})"
    return (
        f"case {number}: {call}; return null;"
        if method.result == "void"
        else f"case {number}: return {call};"
    )


def _judge(test_code: str, tests: list[Token], stubs: str, named: list[str]) -> str:
    # Imports of the test code's own may follow ours, so its text stands first.
    imports = _IMPORTS + "".join(f"import rulegrade.RulegradeProgram.{name};\n" for name in named)
    return (
        f"package rulegrade; {imports.replace(chr(10), ' ')}import rulegrade.RulegradeProgram.*;"
        f" {test_code}\n"
        f"class RulegradeProgram {{\n{stubs}\n}}\n"
        "class RulegradeTests {\nstatic void run() throws Throwable "
        f"{{ {main_class(tests)}.main(new String[0]); }}\n}}\n"
        f"{_wire()}{runtime('Judge.java')}"
    )


def main_class(tests: list[Token]) -> str:
    """The class of the test code that has a `main`; empty if none has."""
    current, depth, found = "", 0, ""
    for at, token in enumerate(tests):
        depth += (token.text == "{") - (token.text == "}")
        if depth == 0 and token.text in ("class", "interface", "enum") and at + 1 < len(tests):
            current = tests[at + 1].text
        if depth == 1 and token.text == "main" and tests[at - 1].text == "void":
            found = found or current
    return found
