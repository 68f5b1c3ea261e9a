"""
Test code of plain assertions: each statement that holds one, at the top or in `check`, is a test.

One that fails does not keep the next from running, unless nothing depends on the next.
"""

import ast
import contextlib
import sys
from types import ModuleType
from typing import Any, TypeGuard

from sandbox.agent.judging import Code, Judge
from sandbox.agent.names import program_names
from sandbox.agent.report import Report, words

MARK = "__rulegrade_test__"
CHECK = "check"
"""HumanEval's name of a function that is given the program's one, and holds the assertions."""


class Stop(BaseException):
    """The verdict cannot change any more."""


class Test:
    """Wraps one statement while it runs."""

    def __init__(
        self, number: int, judge: Judge, report: Report, *, is_fail_fast: bool, is_alone: bool
    ) -> None:
        self._number = number
        self._judge = judge
        self._report = report
        self._is_fail_fast = is_fail_fast
        self._is_alone = is_alone

    def __enter__(self) -> None:
        if self._is_alone:
            self._judge.begin_test()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if self._is_alone:
            self._judge.end_test()
        if self._judge.link.is_broken:
            self._report.record(self._number, "error", words(error) if error else "")
            return False
        if error is None:
            self._report.record(self._number, "passed")
            return True
        is_failure = isinstance(error, AssertionError)
        self._report.record(self._number, "failed" if is_failure else "error", words(error))
        if self._is_fail_fast:
            raise Stop
        return isinstance(error, Exception)


def run(judge: Judge, report: Report, code: Code) -> None:
    """Run every test of the code. SyntaxError if it is none."""
    tree = ast.parse(code.source, code.file)
    lines = _mark(tree)
    report.plan([f"line {line}" for line in lines] or ["all of it"])
    module = ModuleType("__main__")
    module.__file__ = code.file
    sys.modules["__main__"] = module
    names = module.__dict__
    is_alone = _keeps_nothing(tree)
    names[MARK] = lambda number: Test(
        number, judge, report, is_fail_fast=code.is_fail_fast, is_alone=is_alone
    )
    names.update(program_names(judge, code))
    whole = Test(0, judge, report, is_fail_fast=True, is_alone=False)
    with contextlib.suppress(Stop), contextlib.nullcontext() if lines else whole:
        exec(compile(tree, code.file, "exec", dont_inherit=True), names)  # noqa: S102
        if code.entry_point is not None and _waits_to_be_called(tree):
            names[CHECK](judge.find(code.entry_point))


def _mark(tree: ast.Module) -> list[int]:
    """Put every test into a `with`; returns their lines, in order of their numbers."""
    lines: list[int] = []
    tree.body = [_marked(node, lines) for node in tree.body]
    for node in tree.body:
        if _is_check(node):
            node.body = [_marked(statement, lines) for statement in node.body]
    return lines


def _marked(node: ast.stmt, lines: list[int]) -> ast.stmt:
    if _is_definition(node) or not any(isinstance(part, ast.Assert) for part in ast.walk(node)):
        return node
    lines.append(node.lineno)
    call = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(len(lines) - 1)], [])
    return ast.fix_missing_locations(
        ast.copy_location(ast.With([ast.withitem(call)], [node]), node)
    )


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _is_check(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef) and node.name == CHECK


def _keeps_nothing(tree: ast.Module) -> bool:
    """Whether no test can see what another one did to the program's objects.

    So it is where nothing that a call returned is given a name.
    """
    named = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.With, ast.For)
    bodies = [tree.body, *(n.body for n in tree.body if _is_check(n))]
    statements = [node for body in bodies for node in body if not _is_definition(node)]
    return not any(
        isinstance(part, named) and any(isinstance(inner, ast.Call) for inner in ast.walk(part))
        for statement in statements
        for part in _parts(statement)
    )


def _parts(statement: ast.stmt) -> list[ast.AST]:
    """Of a marked one: what is in its `with`, which itself holds a call."""
    if isinstance(statement, ast.With):
        return [part for inner in statement.body for part in ast.walk(inner)]
    return list(ast.walk(statement))


def _waits_to_be_called(tree: ast.Module) -> bool:
    nodes = list(ast.walk(tree))
    is_defined = any(map(_is_check, tree.body))
    return is_defined and not any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == CHECK
        for n in nodes
    )
