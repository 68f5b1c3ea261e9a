"""
SandboxFusion's `/run_code` and `/v1/ping`: `reward.sandbox_fusion.url=http://host:8000/run_code`.

verl sends one request a test and waits for the two time-outs and ten seconds more; ROLL does
likewise. verl sends a 504 again, twice, and takes any other failure for a failed test. So requests
are held until just before the client gives up, and then shed with a 504.
"""

import base64
import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Base64Bytes, Field, TypeAdapter

from reward_service.api.refusals import Refusal
from reward_service.compat.body import Foreign, read
from reward_service.compat.door import execute, foreign_router
from reward_service.compat.programs import limits, run_spec
from reward_service.run_schemas import Base64, Content, RunResult
from sandbox import language_named

WAITED_S = 10.0  # what verl's client waits beyond the two time-outs
MARGIN_S = 2.0  # for the answer's way back
DEFAULT_MB = 1024  # `-1` is without limit there; here it is the largest
KILLED = -9

LANGUAGES: Mapping[str, str] = {
    "python": "python",
    "python3": "python",  # as ROLL writes it
    "pytest": "python",
    "cpp": "cpp",
    "java": "java",
    "nodejs": "javascript",
    "javascript": "javascript",
    "typescript": "typescript",
    "go": "go",
    "rust": "rust",
    "bash": "bash",
    "php": "php",
    "ruby": "ruby",
    "perl": "perl",
    "lua": "lua",
    "sql": "sql",
}
"""Their names to ours."""

Seconds = Annotated[float, Field(gt=0, le=3600)]

router = foreign_router()
ping_router = APIRouter(include_in_schema=False)


class RunCode(Foreign):
    """One program with one input."""

    code: str
    language: str = "python"
    stdin: str | None = None
    compile_timeout: Seconds = 10
    run_timeout: Seconds = 10
    memory_limit: Annotated[int, Field(alias="memory_limit_MB")] = -1
    files: dict[str, Base64Bytes | None] = Field(default_factory=dict)
    fetch_files: list[str] = Field(default_factory=list)


_BODY = TypeAdapter(RunCode)


@ping_router.get("/v1/ping")
async def ping() -> str:
    """Whether the process answers."""
    return "pong"


@router.post("/run_code")
async def run_code(request: Request) -> dict[str, Any]:
    """Run one program."""
    body = await read(request, _BODY)
    spec = run_spec(
        LANGUAGES.get(body.language, body.language),
        code=body.code,
        stdin=body.stdin or "",
        files={
            name: {"base64": base64.b64encode(data).decode()}
            for name, data in body.files.items()
            if data is not None
        },
        output_files=body.fetch_files,
        limits=limits(body.run_timeout, body.memory_limit if body.memory_limit > 0 else DEFAULT_MB),
    )
    within_s = body.compile_timeout + body.run_timeout + WAITED_S - MARGIN_S
    (result,) = await execute(request, [spec], within_s=within_s)
    if result.error is not None and result.error.retryable:
        message = f"The program was not run in time: {result.error.code}. Send it again."
        raise Refusal(504, result.error.code, message)
    return _answer(result, is_compiled=bool(language_named(spec.language).compile))


def _answer(result: RunResult, *, is_compiled: bool) -> dict[str, Any]:
    did_compile = result.verdict not in (None, "compile_error")
    compiled = None
    if is_compiled and result.verdict is not None:
        compiled = _command(0 if did_compile else 1, "" if did_compile else result.stderr)
    return {
        "status": _STATUS.get(result.verdict or "", "Failed"),
        "message": result.error.message if result.error else "",
        "compile_result": compiled,
        "run_result": _run_result(result) if did_compile else None,
        "executor_pod_name": None,
        "files": {name: _as_base64(content) for name, content in result.files.items()},
    }


_STATUS = {"": "SandboxError", "ok": "Success"}


def _run_result(result: RunResult) -> dict[str, Any]:
    if result.verdict == "time_limit_exceeded":
        status, code = "TimeLimitExceeded", None
    elif result.signal is not None:
        status, code = "Finished", -result.signal
    else:
        # a limit of ours that ended it looks to clients like a kill, so that it cannot pass
        cut = result.verdict in ("memory_limit_exceeded", "output_limit_exceeded")
        status, code = "Finished", KILLED if cut else result.exit_code
    seconds = math.ceil(result.wall_ms or 0) / 1000
    return _command(code, result.stderr, result.stdout, status=status, seconds=seconds)


def _command(
    code: int | None,
    stderr: str,
    stdout: str = "",
    *,
    status: str = "Finished",
    seconds: float | None = None,
) -> dict[str, Any]:
    """Texts are never null: clients concatenate them."""
    return {
        "status": status,
        "execution_time": seconds,
        "return_code": code,
        "stdout": stdout,
        "stderr": stderr,
    }


def _as_base64(content: Content) -> str:
    if isinstance(content, Base64):
        return content.base64
    return base64.b64encode(content.encode()).decode()
