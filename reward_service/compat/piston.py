"""
Piston's `/api/v2/execute` and `/api/v2/runtimes`: `PISTON_ENDPOINTS=http://host:8000/api/v2`.

A failure of ours is a 503 with a `message`, which open-r1's client sends again five times. The
packages `cms_ioi` and `cf_python3` of its own Piston are not served: they grade inside the run.
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import NotDecided, execute, foreign_router
from reward_service.compat.programs import limits, run_spec
from reward_service.engine import Engine
from reward_service.errors import BadTask
from reward_service.run_schemas import RunResult
from sandbox import MAX_LIMITS, language_named

WITHIN_S = 25.0  # open-r1 waits 30 s for a byte of the answer
RUN_TIMEOUT_MS = 3_000  # Piston's own default
KILLED = "SIGKILL"

ALIASES: Mapping[str, str] = {
    "py": "python",
    "python3": "python",
    "c++": "cpp",
    "c++17": "cpp",
    "c++20": "cpp20",
    "g++": "cpp",
    "gcc": "c",
    "js": "javascript",
    "node": "javascript",
    "ts": "typescript",
    "rs": "rust",
    "sh": "bash",
    "rb": "ruby",
}
"""Their names to ours, beside those that are equal."""

router = foreign_router()


class File(Foreign):
    """One file; the first is the program."""

    name: str = ""
    content: str
    encoding: Literal["utf8", "base64", "hex"] = "utf8"


class Execute(Foreign):
    """One program with one input."""

    language: str
    files: Annotated[list[File], Field(min_length=1)]
    stdin: str = ""
    args: list[str] = Field(default_factory=list)
    run_timeout: Annotated[float, Field(gt=0)] = RUN_TIMEOUT_MS
    run_memory_limit: int = -1


_BODY = TypeAdapter(Execute)


@router.post("/api/v2/execute")
async def run(request: Request) -> dict[str, Any]:
    """Run one program."""
    body = await read(request, _BODY)
    language = ALIASES.get(body.language, body.language)
    main, *others = body.files
    memory_mb = body.run_memory_limit / 2**20
    spec = run_spec(
        language,
        code=_bytes(main).decode("utf-8", "replace"),
        files={file.name: _content(_bytes(file)) for file in others},
        stdin=body.stdin,
        args=body.args,
        limits=limits(
            body.run_timeout / 1000, memory_mb if memory_mb >= 1 else MAX_LIMITS["memory_mb"]
        ),
    )
    (result,) = await execute(request, [spec], within_s=WITHIN_S)
    if result.error is not None:
        raise NotDecided(result.error.code)
    engine: Engine = request.app.state.engine
    version = engine.languages().get(language, "*")
    return {"language": language, "version": version, **_stages(result, language)}


@router.get("/api/v2/runtimes")
async def runtimes(request: Request) -> list[dict[str, Any]]:
    """The languages that can be run."""
    engine: Engine = request.app.state.engine
    return [
        {
            "language": name,
            "version": version,
            "aliases": [alias for alias, ours in ALIASES.items() if ours == name],
        }
        for name, version in engine.languages().items()
    ]


def _stages(result: RunResult, language: str) -> dict[str, Any]:
    is_compiled = bool(language_named(language).compile)
    if result.verdict == "compile_error":
        failed = _stage("", result.stderr, code=1)
        return {"compile": failed, "run": _stage("", "", code=1)}
    signal = None
    if result.exit_code is None or result.verdict not in ("ok", "runtime_error"):
        signal = KILLED  # a limit ended it, or a signal that Piston would name
    code = None if signal else result.exit_code
    ran = _stage(result.stdout, result.stderr, code=code, signal=signal)
    return {"compile": _stage("", "", code=0), "run": ran} if is_compiled else {"run": ran}


def _stage(
    stdout: str, stderr: str, *, code: int | None, signal: str | None = None
) -> dict[str, Any]:
    return {
        "stdout": stdout,
        "stderr": stderr,
        "output": stdout + stderr,
        "code": code,
        "signal": signal,
    }


def _bytes(file: File) -> bytes:
    try:
        if file.encoding == "base64":
            return base64.b64decode(file.content, validate=True)
        if file.encoding == "hex":
            return bytes.fromhex(file.content)
    except ValueError:
        raise BadTask("files", f"not {file.encoding}") from None
    return file.content.encode()


def _content(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
