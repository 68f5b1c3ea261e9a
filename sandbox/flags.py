"""
Hints that a program tried something odd: for people and dashboards, never for a score.

They are read off the text, so they can be wrong both ways: a comment that says /proc/ sets one off,
and a program that builds the word from pieces does not. Verdicts need none of this.
"""

import re
from collections.abc import Mapping

from sandbox.base import Run, Status

_PYTHON: Mapping[str, re.Pattern[str]] = {
    "constant_eq": re.compile(
        r"def\s+__(?:eq|ne)__[^\n]*:\s*return\s+(?:True|False)\b|__eq__\s*=\s*lambda[^\n:]*:\s*True"
        r"|\bmock\s+import\s+[^\n]*\bANY\b|\bmock\.ANY\b"
    ),
    "frame_walk": re.compile(
        r"\b_getframe\b|\bcurrentframe\b|\binspect\.stack\b|\bf_back\b|\bf_globals\b"
        r"|\bgc\.get_(?:objects|referrers|referents)\b"
    ),
    "test_tampering": re.compile(
        r"\bconftest\b|\bTestReport\b|\bSkipTest\b|\bpytest\.(?:skip|xfail|exit)\b"
        r"|\bunittest\.[\w.]+\s*=[^=]|sys\.modules\[[^\]]*\][^\n]*="
    ),
}

_ANY: Mapping[str, re.Pattern[str]] = {
    "proc_read": re.compile(r"/proc/(?:self|\d|\{|%|\"|')"),
    "network": re.compile(
        r"\bimport\s+(?:socket|requests|urllib|http|httpx|aiohttp)\b"
        r"|\bfrom\s+(?:socket|requests|urllib|http|httpx|aiohttp)\b|<sys/socket\.h>"
    ),
    "early_exit": re.compile(r"\bos\._exit\b|\bposix\._exit\b|\b_Exit\s*\(|\bquick_exit\s*\("),
}


def flags_of_source(language: str, source: str) -> set[str]:
    """Names of what the text hints at."""
    patterns = {**_ANY, **(_PYTHON if language == "python" else {})}
    return {name for name, pattern in patterns.items() if pattern.search(source)}


def flags_of_run(run: Run, *, is_call: bool) -> set[str]:
    """Names of what a run showed."""
    flags = set()
    if is_call and run.status is Status.OK and not run.result:
        flags.add("early_exit")
    if b"Resource temporarily unavailable" in run.stderr:
        flags.add("fork_storm")
    return flags
