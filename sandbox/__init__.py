"""Runs untrusted programs and judges them. Imports nothing of the reward service.

with Sandbox() as sandbox:
    run = sandbox.run("python", "print(input())", stdin="42")
    judgement = sandbox.judge(Submission(Program("python", source), (TestCase(b"1", b"2"),)))
"""

from sandbox.base import (
    MAX_LIMITS,
    MAX_OUTPUTS,
    CheckerFailed,
    DeadlineExceeded,
    LanguageMissing,
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
from sandbox.languages import LANGUAGES, file_names, language_named
from sandbox.library import AsyncSandbox, Sandbox
from sandbox.local import LocalSandbox
from sandbox.pooled import PooledSandbox
from sandbox.submission import (
    CallCase,
    Judgement,
    Submission,
    TestCase,
    TestCode,
    TestResult,
    Verdict,
)
from sandbox.two_box import check_typed_tests

__all__ = [
    "CHECKERS",
    "LANGUAGES",
    "MAX_LIMITS",
    "MAX_OUTPUTS",
    "AsyncSandbox",
    "CallCase",
    "Checker",
    "CheckerFailed",
    "DeadlineExceeded",
    "DockerSandbox",
    "Judgement",
    "LanguageMissing",
    "Limits",
    "LocalSandbox",
    "PooledSandbox",
    "Program",
    "Run",
    "Sandbox",
    "SandboxError",
    "SandboxUnavailable",
    "SlotLost",
    "Status",
    "Submission",
    "TestCase",
    "TestCode",
    "TestResult",
    "Verdict",
    "check_typed_tests",
    "file_names",
    "installed_languages",
    "language_named",
    "parse_checker",
]
