"""
Test code with test functions: unittest's, by a result class of ours, and pytest's, by a plugin.

Passed is what ran to its end and passed: skipped, expected to fail and deselected are not.
"""

import builtins
import importlib
import os
import sys
import unittest
from types import ModuleType
from typing import Any

from sandbox.agent.judging import Code, Judge
from sandbox.agent.names import program_names
from sandbox.agent.report import Report, words

MODULE = "tests"


def run_unittest(judge: Judge, report: Report, code: Code) -> None:
    """Run every `TestCase` of the code."""
    module = ModuleType(MODULE)
    module.__file__ = code.file
    sys.modules[MODULE] = module
    module.__dict__.update(program_names(judge, code))
    exec(compile(code.source, code.file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    tests = list(_flat(suite))
    report.plan([test.id() for test in tests])
    result = _Result(judge, report, tests)
    result.failfast = code.is_fail_fast
    suite.run(result)


def _flat(suite: unittest.TestSuite) -> Any:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


class _Result(unittest.TestResult):
    """Passes on what a suite finds out."""

    def __init__(self, judge: Judge, report: Report, tests: list[unittest.TestCase]) -> None:
        super().__init__()
        self._judge = judge
        self._report = report
        self._tests = {id(test): number for number, test in enumerate(tests)}

    def _record(self, test: Any, outcome: Any, message: str = "") -> None:
        number = self._tests.get(id(test))
        if number is not None:  # else set-up of a class: its tests are never reached
            self._report.record(number, outcome, message)
        if outcome != "passed" and self.failfast:
            self.stop()

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._judge.begin_test()

    def stopTest(self, test: Any) -> None:
        self._judge.end_test()
        super().stopTest(test)

    def addSuccess(self, test: Any) -> None:
        if self._judge.link.is_broken:
            self._record(test, "error", "the program had ended")
        else:
            self._record(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        self._record(test, "failed", words(err[1]))

    def addError(self, test: Any, err: Any) -> None:
        self._record(test, "error", words(err[1]))

    def addSkip(self, test: Any, reason: str) -> None:
        self._record(test, "skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._record(test, "skipped", "expected to fail, and did")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._record(test, "failed", "expected to fail, and did not")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            outcome = "failed" if issubclass(err[0], test.failureException) else "error"
            self._record(test, outcome, words(err[1]))


def run_pytest(judge: Judge, report: Report, code: Code) -> None:
    """Run every test that pytest collects from the code."""
    pytest = importlib.import_module("pytest")
    for name, value in program_names(judge, code).items():
        if not hasattr(builtins, name):  # pytest imports the code itself
            setattr(builtins, name, value)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # looking for some takes a while
    plugin = _Plugin(judge, report)
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--tb=no", code.file]
    pytest.main([*options, "-x"] if code.is_fail_fast else options, plugins=[plugin])
    if plugin.trouble is not None:
        raise plugin.trouble


class _Plugin:
    """Passes on what pytest finds out."""

    def __init__(self, judge: Judge, report: Report) -> None:
        self._judge = judge
        self._report = report
        self._numbers: dict[str, int] = {}
        self._ended_by: BaseException | None = None
        self.trouble: BaseException | None = None

    def pytest_collection_finish(self, session: Any) -> None:
        """All tests are known."""
        self._numbers = {item.nodeid: number for number, item in enumerate(session.items)}
        self._report.plan(list(self._numbers))

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        """Keep what kept the code from being collected."""
        if node.nodeid not in self._numbers:
            self.trouble = call.excinfo.value

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Before the set-up."""
        self._judge.begin_test()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """After what clears up."""
        self._judge.end_test()

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Keep what ended a phase of a test; pytest makes the report."""
        self._ended_by = None if call.excinfo is None else call.excinfo.value

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Each test has three phases; it has passed if its own call did and no other failed."""
        number, error = self._numbers[report.nodeid], self._ended_by
        message = "" if error is None else words(error)
        if report.skipped or hasattr(report, "wasxfail"):
            self._report.record(number, "skipped", message or "expected to fail")
        elif report.failed:
            is_failure = report.when == "call" and _is_failure(error)
            self._report.record(number, "failed" if is_failure else "error", message)
        elif self._judge.link.is_broken:
            self._report.record(number, "error", "the program had ended")
        elif report.when == "call":
            self._report.record(number, "passed")


def _is_failure(error: BaseException | None) -> bool:
    """Whether the test says so, as against something that went wrong in it."""
    return isinstance(error, AssertionError) or type(error).__module__ == "_pytest.outcomes"
