"""
What test code uses without defining it: the program's names, but for what would decide about it.

Many tasks leave `import math` to the program. Were it asked, a program with a `math` of its own
would decide what is close to what.
"""

import ast
import builtins
import importlib
import symtable
import sys
from types import ModuleType
from typing import Any

from sandbox.agent.judging import Code, Judge
from sandbox.agent.remote import is_remote

_ALIASES = {"np": "numpy", "numpy": "numpy", "pytest": "pytest"}

_COMPARING = {"isclose": "math", "allclose": "numpy", "approx": "pytest"}
"""Functions that say whether a test passes, and where they are."""

_ASSERTING = "assert"
"""How a name begins that decides, too, and is nobody's but the test code's."""


def undefined_names(source: bytes, file: str) -> list[str]:
    """Global names that code reads, and that neither it nor Python defines."""
    top = symtable.symtable(source.decode("utf-8", "replace"), file, "exec")
    defined = {
        name.get_name() for name in top.get_symbols() if name.is_assigned() or name.is_imported()
    }
    read, tables = set(), [top]
    for table in tables:
        tables += table.get_children()
        for name in table.get_symbols():
            if name.is_referenced() and (name.is_global() or table is top):
                read.add(name.get_name())
    return sorted(read - defined - set(vars(builtins)))


def program_names(judge: Judge, code: Code) -> dict[str, Any]:
    """What of the test code's undefined names the program defines.

    NameError if one of them is a tool that nobody has.
    """
    found = {}
    wanted = undefined_names(code.source, code.file)
    if code.entry_point is not None and "." not in code.entry_point:
        found[code.entry_point] = judge.find(code.entry_point)
    tools = _tools(judge, code, [name for name in wanted if name != code.entry_point])
    program = judge.module("solution") if wanted else None
    lacking = 0
    for name in wanted:
        if name not in found and name not in tools and not name.startswith("__"):
            try:
                found[name] = getattr(program, name)
            except AttributeError:  # the test code will say so, if it ever gets there
                lacking += 1
    judge.uses = lacking + sum(not is_remote(value) for value in found.values())
    return found | tools


def _tools(judge: Judge, code: Code, names: list[str]) -> dict[str, Any]:
    tools: dict[str, Any] = {}
    tree = ast.parse(code.source, code.file)
    for name in names:
        judge.missing = name  # what goes wrong here is not the program's fault
        if name in _COMPARING:
            tools[name] = getattr(importlib.import_module(_COMPARING[name]), name)
        elif (module := _module_meant(name, tree)) is not None:
            tools[name] = module
        elif name.startswith(_ASSERTING):
            raise NameError(f"the test code does not define {name}")
    judge.missing = None
    return tools


def _module_meant(name: str, tree: ast.Module) -> ModuleType | None:
    """The module of this name, if all that the code uses of it is there."""
    if name not in sys.stdlib_module_names and name not in _ALIASES:
        return None
    nodes = list(ast.walk(tree))
    uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    wanted = [
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    ]
    module = importlib.import_module(_ALIASES.get(name, name)) if len(wanted) == uses else None
    return module if all(hasattr(module, attribute) for attribute in wanted) else None
