"""
C++: the types of a call are those that the submission declares.

Where `cpp_types` can read them, there is one case for each overload and each number of arguments
that its defaults allow. Anything else, like a lambda or an `auto` result, is left to the compiler,
which knows a function's types if it has one name and is no template.
"""

from sandbox.calls.base import driver
from sandbox.two_box.base import MAX_SOURCE, runtime
from sandbox.two_box.cpp import Offer, read_offer, set_aside
from sandbox.two_box.cpp_types import C_TEXT, Function, macros
from sandbox.two_box.tokens import Token, end_of_group, tokenize

SOLUTION = "Solution"


def with_driver(source: str, entry_point: str) -> str:
    """The submission's text, followed by a `main` that calls its function."""
    head, _, name = entry_point.rpartition(".")
    defined_macros, names = macros(source)
    # Reading longer ones takes too long.
    tokens = tokenize(source, "cpp") if len(source) <= MAX_SOURCE else []
    cases = _cases(read_offer(tokens, names, {name, head or SOLUTION}, {name}), head, name)
    cases = cases or [_deduced(tokens, head, name)]
    numbered = "\n".join(
        f"case {number}: {{ {case} return; }}" for number, case in enumerate(cases)
    )
    return (
        f"{set_aside(source, defined_macros)}{runtime('traits.hpp')}{_driver()}"
        f"const int rulegrade::FUNCTIONS = {len(cases)};\n"
        "void rulegrade::answer(int function, Reader& in, std::string& out) {\n"
        f"switch (function) {{\n{numbered}\n}}\n}}\n"
    )


def _driver() -> str:
    return "".join(map(driver, ("read.hpp", "write.hpp", "call.hpp")))


def _cases(offer: Offer, head: str, name: str) -> list[str]:
    if not head and any(function.name == name for function in offer.functions):
        return _of_all([f for f in offer.functions if f.name == name], f"::{name}", "")
    owner = head or SOLUTION
    methods = [m for c in offer.classes if c.name == owner for m in c.methods if m.name == name]
    return _of_all(methods, f"self.{name}", f"::{owner} self{{}};")


def _of_all(functions: list[Function], target: str, before: str) -> list[str]:
    return [
        _case(function, count, target, before)
        for function in functions
        for count in _counts(function)
    ]


def _counts(function: Function) -> range:
    """How many arguments it takes."""
    needed = sum(not parameter.has_default for parameter in function.parameters)
    return range(needed, len(function.parameters) + 1)


def _case(function: Function, count: int, target: str, before: str) -> str:
    parameters = list(enumerate(function.parameters[:count]))
    taken = [f"auto a{i} = in.argument<{p.wire}>();" for i, p in parameters]
    call = f"{target}({', '.join(p.passed.format(f'a{i}') for i, p in parameters)})"
    if function.result == "void":
        result = f'{call}; out += "null";'
    elif function.result == C_TEXT:
        result = f"put<{C_TEXT}>(out, {call});"
    else:
        result = f"const {function.result}& result = {call}; put<{function.result}>(out, result);"
    return " ".join([*taken, "in.done();", before, result])


def _deduced(tokens: list[Token], head: str, name: str) -> str:
    if not head and (name in _names_at_top(tokens) or SOLUTION not in _names_at_top(tokens)):
        return f"deduced(in, out, &::{name});"
    return f"deduced(in, out, &::{head or SOLUTION}::{name});"


def _names_at_top(tokens: list[Token]) -> set[str]:
    found, at = set(), 0
    while at < len(tokens):
        found.add(tokens[at].text)
        at = end_of_group(tokens, at) if tokens[at].text in ("{", "(") else at + 1
    return found
