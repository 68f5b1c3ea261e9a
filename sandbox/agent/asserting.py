"""
Test code of plain assertions: each statement that holds one, at the top or in `check`, is a test.

One that fails does not keep the next from running, unless nothing depends on the next.
"""

import ast
import contextlib
import sys
from types import ModuleType
from typing import Any

from sandbox.agent.judging import Code, Judge, program_names
from sandbox.agent.report import Report, words

MARK = "__rulegrade_test__"
CHECK = "check"
"""HumanEval's name of a function that is given the program's one, and holds the assertions."""


class Stop(BaseException):
    """The verdict cannot change any more."""


class Test:
    """Wraps one statement while it runs."""

    def __init__(self, number: int, judge: Judge, report: Report, *, is_fail_fast: bool) -> None:
        self._number = number
        self._judge = judge
        self._report = report
        self._is_fail_fast = is_fail_fast

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: Any
    ) -> bool:
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
    names[MARK] = lambda number: Test(number, judge, report, is_fail_fast=code.is_fail_fast)
    names.update(program_names(judge, code))
    whole = Test(0, judge, report, is_fail_fast=True)
    with contextlib.suppress(Stop), contextlib.nullcontext() if lines else whole:
        exec(compile(tree, code.file, "exec", dont_inherit=True), names)  # noqa: S102
        if code.entry_point is not None and _waits_to_be_called(tree):
            names[CHECK](judge.find(code.entry_point))


def _mark(tree: ast.Module) -> list[int]:
    """Put every test into a `with`; returns their lines, in order of their numbers."""
    lines: list[int] = []
    tree.body = [_marked(node, lines) for node in tree.body]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == CHECK:
            node.body = [_marked(statement, lines) for statement in node.body]
    return lines


def _marked(node: ast.stmt, lines: list[int]) -> ast.stmt:
    is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if is_definition or not any(isinstance(part, ast.Assert) for part in ast.walk(node)):
        return node
    lines.append(node.lineno)
    call = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(len(lines) - 1)], [])
    return ast.fix_missing_locations(
        ast.copy_location(ast.With([ast.withitem(call)], [node]), node)
    )


def _waits_to_be_called(tree: ast.Module) -> bool:
    nodes = list(ast.walk(tree))
    is_defined = any(isinstance(n, ast.FunctionDef) and n.name == CHECK for n in tree.body)
    return is_defined and not any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == CHECK
        for n in nodes
    )
