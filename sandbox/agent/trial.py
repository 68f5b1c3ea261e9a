"""
The judge's role: one run of test code against the program at the other end of the link.
"""

import json
import os
import sys
import unittest

from sandbox.agent import asserting, suites
from sandbox.agent.judging import Code, Judge, ProgramFinder
from sandbox.agent.link import LinkBroken
from sandbox.agent.report import Report, words

OURS = tuple(
    os.path.join(os.path.dirname(__file__), f"{m}.py") for m in ("asserting", "suites", "trial")
)
"""Where an exception can only be our own mistake; elsewhere it may be the program's doing."""

RECURSION_LIMIT = 10_000
"""What tests and program do in turns nests deeply."""

_RUN = {"assert": asserting.run, "unittest": suites.run_unittest, "pytest": suites.run_pytest}


def judge(source: bytes, file: str, request: bytes) -> None:
    """Run test code as `request` says, and report on descriptor 3.

    A JSON object: its `kind`, the program's `entry_point` or none, and `is_fail_fast`.
    """
    wanted = json.loads(request)
    sys.setrecursionlimit(RECURSION_LIMIT)
    unittest.main = lambda *_, **__: None  # type: ignore[assignment]  # we run them
    side, report, message = Judge(), Report(), ""
    side.awaits_stop = b"StopIteration" in source
    sys.meta_path.append(ProgramFinder(side))
    try:
        code = Code(source, file, wanted["entry_point"], wanted["is_fail_fast"])
        _RUN[wanted["kind"]](side, report, code)
    except LinkBroken as error:
        message = str(error)
    except BaseException as error:
        message = words(error)
        if side.missing is not None or not side.uses or _is_ours(error, side):
            report.fault(f"the test code fails by itself: {message}")
            return
    if not message and report.is_empty():
        report.fault("the test code holds no test")
    elif not side.uses and not side.link.is_broken:
        report.fault("the test code never uses the program")
    else:
        report.finish(sorted(side.flags), message)


def _is_ours(error: BaseException, side: Judge) -> bool:
    """Whether it was raised in our own code, and not there in the program's name."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    is_here = trace is not None and trace.tb_frame.f_code.co_filename in OURS
    return is_here and error is not side.last_raised
