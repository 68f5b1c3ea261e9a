"""
What an agent is told to execute: the command of a language's compiler, or the start of a program.
"""

from typing import Any

from sandbox.base import Limits, Program
from sandbox.languages import Language, language_named

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/box", "LANG": "C.UTF-8"}
"""What every program finds in its environment, beside its language's and its own variables."""


def compiler(language: Language) -> dict[str, Any] | None:
    """The command that compiles a program, None where there is nothing to compile."""
    if not language.compile:
        return None
    return {
        "argv": list(language.compile),
        "env": _assignments(ENVIRONMENT),
        "artifact": language.artifact,
        "threads": language.threads,
    }


def start(
    program: Program, limits: Limits, role: str | None = None, argument: str = ""
) -> dict[str, Any]:
    """The command that starts it; in a warm interpreter, in this role of `zygote.become`."""
    language = language_named(program.language)
    env = ENVIRONMENT | dict(language.env) | dict(program.env)
    # Arguments and environment would stay in the memory of the warm interpreter.
    is_warm = language.is_warm and not program.args and not program.env
    return {
        "argv": [*language.command(limits), *program.args],
        "env": _assignments(env),
        "role": {"name": role or "main", "argument": argument} if is_warm else None,
        "threads": language.threads,
    }


def _assignments(env: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in env.items()]
