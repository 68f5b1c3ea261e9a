"""Runs untrusted programs and judges them. Imports nothing of the reward service.

async with DockerSandbox(slots=2) as sandbox:
    judgement = await sandbox.judge(submission, deadline=time.time() + 60)
"""

from sandbox.base import (
    MAX_LIMITS,
    DeadlineExceeded,
    Limits,
    Program,
    Run,
    SandboxError,
    SandboxUnavailable,
    SlotLost,
    Status,
)
from sandbox.checkers import CHECKERS, Checker, parse_checker
from sandbox.containers import DockerSandbox
from sandbox.installed import installed_languages
from sandbox.languages import LANGUAGES, language_named
from sandbox.submission import (
    CallCase,
    Judgement,
    Submission,
    TestCase,
    TestCode,
    TestResult,
    Verdict,
)

__all__ = [
    "CHECKERS",
    "LANGUAGES",
    "MAX_LIMITS",
    "CallCase",
    "Checker",
    "DeadlineExceeded",
    "DockerSandbox",
    "Judgement",
    "Limits",
    "Program",
    "Run",
    "SandboxError",
    "SandboxUnavailable",
    "SlotLost",
    "Status",
    "Submission",
    "TestCase",
    "TestCode",
    "TestResult",
    "Verdict",
    "installed_languages",
    "language_named",
    "parse_checker",
]
