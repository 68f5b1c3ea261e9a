"""
Hints that a program tried something odd: for people and dashboards, never for a score.

They can be wrong both ways: an honest program may walk its own frames, and one that builds the word
`/proc` from pieces is not seen. Verdicts need none of this. docs/verifiers.md has the list.
"""

import re
from collections.abc import Mapping

from sandbox.base import Limits, Run
from sandbox.flags_python import flags_of_python
from sandbox.languages import language_named

MAX_SOURCE = 16_384
"""Characters; a longer program is not looked at. One made to be slow takes 0.1 s."""

TAIL = 4096

FEW_PROCESSES = 8
"""To use all processes of a smaller limit is no storm."""

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "proc_read": re.compile(r"/proc/"),
    "network": re.compile(
        r"<sys/socket\.h>|\bjava\.net\b|\brequire\s*\(\s*['\"](?:node:)?(?:net|https?|dgram)['\"]"
        r"|\bstd::net\b|\"net(?:/http)?\"|/dev/tcp/|\b(?:curl|wget)\s|\bIO::Socket\b|\bfsockopen\b"
    ),
    "early_exit": re.compile(
        r"\b_[Ee]xit\s*\(|\bquick_exit\s*\(|\bRuntime\.getRuntime\(\)\.halt\b|\breallyExit\b"
    ),
}

_COMMENTS: Mapping[str, str] = {
    **dict.fromkeys(("bash", "ruby", "perl"), r"#"),
    **dict.fromkeys(("lua", "sql"), r"--"),
    "php": r"#|//|/\*",
}
_C_COMMENTS = r"//|/\*"
_QUOTED = {
    '"': re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*"?', re.DOTALL),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*'?", re.DOTALL),
}

_NO_SOCKET = re.compile(rb"\bsocket\b[^\n]*(?:\n[^\n]*)?Operation not permitted")
_NO_PROCESS = b"Resource temporarily unavailable"


def flags_of_source(language: str, source: str) -> set[str]:
    """Names of what the program's text hints at; its comments hint at nothing."""
    if len(source) > MAX_SOURCE:
        return set()
    if language == "python":
        return flags_of_python(source)
    if not any(pattern.search(source) for pattern in _PATTERNS.values()):
        return set()
    code = _without_comments(source, _COMMENTS.get(language, _C_COMMENTS))
    return {name for name, pattern in _PATTERNS.items() if pattern.search(code)}


def flags_of_run(run: Run, language: str, limits: Limits, *, is_call: bool) -> set[str]:
    """Names of what a run showed."""
    tail = run.stderr[-TAIL:]
    most = max(FEW_PROCESSES, limits.processes + language_named(language).threads)
    found = {
        "early_exit": is_call and _left_early(run),
        "fork_storm": run.most_processes >= most or _NO_PROCESS in tail,
        "network": _NO_SOCKET.search(tail) is not None,
        "output_after_exit": run.was_survived,
    }
    return {name for name, is_so in found.items() if is_so}


def _left_early(run: Run) -> bool:
    """Whether a called function neither returned nor raised (1 and a message), nor was killed."""
    if run.result or run.exit_code is None:
        return False
    return run.exit_code != 1 or not run.stderr


def _without_comments(source: str, comments: str) -> str:
    """The text without its comments; what stands in quotes stays."""
    opening = re.compile(rf"{comments}|[\"']")
    kept, at = [], 0
    while (match := opening.search(source, at)) is not None:
        kept.append(source[at : match.start()])
        mark, start = match.group(), match.end()
        if mark in _QUOTED:
            quoted = _QUOTED[mark].match(source, start)
            at = quoted.end() if quoted else start
            kept.append(source[match.start() : at])
        else:
            close = "*/" if mark == "/*" else "\n"
            end = source.find(close, start)
            at = end + len(close) if end >= 0 else len(source)
    return " ".join([*kept, source[at:]])
