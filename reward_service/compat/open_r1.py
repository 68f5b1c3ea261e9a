"""
open-r1's routers, for E2B and for Morph: `e2b_router_url: host:8000` or `morph_router_url:`.

Both send whole scripts that end in an expression, whose value is the reward, and read different
parts of the answer; this one has both. The script holds the tests and starts the policy's program
itself, so what the service says of forged rewards does not hold for it: use the `code` verifier.
The clients take `null` for a sample to leave out, and read a list whatever the status is.
"""

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import execute, foreign_router
from reward_service.compat.programs import limits, run_spec
from reward_service.run_schemas import Base64, RunResult
from sandbox import MAX_LIMITS

WITHIN_S = 600.0  # the E2B client waits for ever
VALUE = "value.txt"

# The value travels in a file: the script's own output may hold anything.
_RUN_SCRIPT = f"""\
import ast
from pathlib import Path
tree = ast.parse(Path("script.py").read_text())
last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
names = {{"__name__": "__main__"}}
exec(compile(tree, "script.py", "exec"), names)
if last is not None:
    value = eval(compile(ast.Expression(last.value), "script.py", "eval"), names)
    if value is not None:
        Path("{VALUE}").write_text(repr(value))
"""
_ALIASES = {"js": "javascript", "ts": "typescript"}

router = foreign_router()


class Scripts(Foreign):
    """Scripts with their languages."""

    scripts: Annotated[list[str], Field(max_length=1_000)]
    languages: list[str] = Field(default_factory=list)
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0


_BODY = TypeAdapter(Scripts)


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process answers; open-instruct asks it too."""
    return {"status": "healthy"}


@router.post("/execute_batch")
async def execute_batch(request: Request) -> list[dict[str, Any]]:
    """Run every script; one element each, in order."""
    body = await read(request, _BODY)
    if not body.scripts:
        return []
    languages = body.languages or ["python"] * len(body.scripts)
    specs = [
        _spec(script, language, body.timeout)
        for script, language in zip(body.scripts, languages, strict=True)
    ]
    results = await execute(request, specs, within_s=WITHIN_S)
    return [_answer(result) for result in results]


def _spec(script: str, language: str, timeout_s: float) -> Any:
    cut = limits(timeout_s, MAX_LIMITS["memory_mb"])
    if language != "python":
        return run_spec(_ALIASES.get(language, language), code=script, limits=cut)
    files = {"script.py": script}
    return run_spec("python", code=_RUN_SCRIPT, files=files, output_files=[VALUE], limits=cut)


def _answer(result: RunResult) -> dict[str, Any]:
    if result.verdict is None:
        why = result.error.code if result.error else "not run"
        return {"execution": None, "text": None, "exception_str": why}
    failed = None if result.verdict == "ok" else _exception(result)
    text = None if failed else _text(result)
    shown = {"text": text, "is_main_result": True}
    execution = {
        "results": [] if text is None else [shown],
        "logs": {"stdout": _lines(result.stdout), "stderr": _lines(result.stderr)},
        "error": failed,
        "execution_count": 1,
    }
    told = f"{failed['name']}: {failed['value']}" if failed else None
    return {"execution": execution, "text": text, "exception_str": told}


def _exception(result: RunResult) -> dict[str, str]:
    last = result.stderr.strip().rpartition("\n")[2]
    name, _, value = last.partition(": ")
    is_named = result.verdict == "runtime_error" and name.isidentifier()
    return {
        "name": name if is_named else str(result.verdict),
        "value": value if is_named else last,
        "traceback": result.stderr,
    }


def _text(result: RunResult) -> str | None:
    content = result.files.get(VALUE)
    return None if isinstance(content, Base64) else content


def _lines(text: str) -> list[str]:
    return [text] if text else []
