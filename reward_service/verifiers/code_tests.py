"""
Test code at the door: what can never pass is refused there, by the name of its field.
"""

import ast
import warnings
from typing import Any

from sandbox import check_typed_tests

MAX_TEST_CODE = 2**20

KINDS = ("assert", "unittest", "pytest")
"""Kinds of tests that are code."""


def check_test_code(text: str | None, kind: str, language: str, entry_point: str | None) -> None:
    """ValueError if this is no test code of the kind."""
    if kind not in KINDS:
        if text is not None:
            raise ValueError("only the kinds " + ", ".join(KINDS) + " take test code")
        return
    if text is None:
        raise ValueError(f"kind {kind} needs it")
    if language != "python":
        check_typed_tests(language, kind, text)
        return
    tree = _parsed(text)
    if not tree.body:
        raise ValueError("it holds no test")
    if kind == "assert" and entry_point is None and _has_idle_check(tree):
        raise ValueError("nothing calls `check`, and there is no `entry_point` to call it with")


def _parsed(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None
    # SystemError: CPython 3.11 miscounts its depth after a text that was too deep.
    except (RecursionError, MemoryError, SystemError, ValueError):
        raise ValueError("it cannot be parsed") from None


def _has_idle_check(tree: ast.Module) -> bool:
    is_defined = any(isinstance(n, ast.FunctionDef) and n.name == "check" for n in tree.body)
    return is_defined and not any(_calls_check(node) for node in ast.walk(tree))


def _calls_check(node: Any) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
    )
