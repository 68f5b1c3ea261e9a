"""
A run on its way through the queue: an evaluation that nobody scores.

It travels as one, so that runs and rewards share one bounded queue, its turns between callers, and
the sandbox's slots. `executor` asks for it; `programs` does it.
"""

import base64
from typing import Any

from reward_service.chunks import Evaluation
from reward_service.run_schemas import Base64, Content, RunSpec
from reward_service.surrogates import REPLACED
from reward_service.verifiers.base import Attempt
from sandbox import Limits, Program, Run, Status, file_names, language_named

EXECUTE = "execute"
"""Stands where a verifier's name does; no verifier has it."""


def evaluation_of(spec: RunSpec) -> Evaluation:
    """The evaluation that stands for a run."""
    return Evaluation(EXECUTE, spec.model_dump_json(), Attempt(""))


def spec_of(evaluation: Evaluation) -> RunSpec:
    """The run that an evaluation stands for."""
    return RunSpec.model_validate_json(evaluation.params)


def program_of(spec: RunSpec) -> Program:
    """The program to run. ValueError, beginning with the field's name, if it cannot be run."""
    files = {name: content_of(content) for name, content in spec.files.items()}
    code = spec.code
    if code is None and spec.entry is not None:
        # It runs under the language's own name, and stays there under its own for an import.
        code = files[spec.entry].decode()
        if spec.entry == language_named(spec.language).source_name:
            del files[spec.entry]
    program = Program(
        spec.language,
        (code or "").replace(REPLACED, "\ufffd"),
        files,
        tuple(spec.args),
        spec.env,
        tuple(spec.output_files),
    )
    file_names(program)
    return program


def stdin_of(spec: RunSpec) -> bytes:
    """What the program reads."""
    return content_of(spec.stdin)


def limits_of(spec: RunSpec) -> Limits:
    """The limits of the run."""
    return Limits(**spec.limits.model_dump())


def content_of(content: Content) -> bytes:
    """The bytes that a text or base64 stands for."""
    if isinstance(content, Base64):
        return base64.b64decode(content.base64)
    return content.replace(REPLACED, "\ufffd").encode()


def facts_of(run: Run) -> dict[str, Any]:
    """A run as plain data, in the words of `RunResult`."""
    stdout = run.stdout if run.status is not Status.COMPILE_ERROR else b""
    return {
        "verdict": run.status.value,
        "stdout": stdout.decode("utf-8", "replace"),
        "stdout_base64": None if _is_text(stdout) else base64.b64encode(stdout).decode(),
        "stderr": run.stderr.decode("utf-8", "replace"),
        "files": {name: _content(data) for name, data in run.files.items()},
        "exit_code": run.exit_code,
        "signal": run.signal,
        "cpu_ms": run.cpu_ms,
        "wall_ms": round(run.wall_ms, 1),
        "memory_kb": run.memory_kb,
    }


def _content(data: bytes) -> str | dict[str, str]:
    return data.decode() if _is_text(data) else {"base64": base64.b64encode(data).decode()}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
