"""
What the exit status of a task's own checker or interactor says.
"""

import re

from sandbox.base import CheckerFailed, Run, Status

_POINTS = re.compile(rb"points\s+([0-9]+(?:\.[0-9]+)?)")
_PYTHONS_WORDS = re.compile(rb"^Traceback|^  File .*\n(.*\n)*\w*Error:")


def points_of(run: Run) -> float:
    """0 to 1, by testlib's numbers, and Kattis's 42 and 43. CheckerFailed if it failed."""
    if run.status in (Status.OK, Status.RUNTIME_ERROR):
        if run.exit_code in (0, 42):
            return 1.0
        # Wrong, or not in the right form. Python ends with 1 after an exception, too.
        if run.exit_code in (1, 2, 4, 8, 43) and not _PYTHONS_WORDS.search(run.stderr):
            return 0.0
        points = _POINTS.search(run.stderr)
        if run.exit_code == 7 and points is not None:
            return min(1.0, float(points[1]))
    found = run.exit_code if run.exit_code is not None else run.signal or run.status.value
    raise CheckerFailed(f"the checker ended with {found}: {run.stderr[-500:]!r}")
