"""
open-instruct's code API: `--code_api_url http://host:8000/test_program`.

Its client scores 0 for whatever is no 200, and cannot be told to leave a sample out; the 503 at
least shows in its log. Tests as a pickle are refused: reading one would run it in the service.
"""

import ast
import json
import re
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import CurrentLabels, decide, foreign_router, reward_of
from reward_service.compat.labels import Labels
from reward_service.compat.programs import limits
from reward_service.errors import BadTask
from reward_service.schemas import Result

MAX_TESTS = 1_000
DEFAULT_MB = 512

_DEFINITION = re.compile(r"^(?:async )?(?:def|class) ([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)

router = foreign_router()


class Tested(Foreign):
    """A program and its tests, as a list or as JSON text of one."""

    program: str
    tests: list[Any] | str
    max_execution_time: Annotated[float, Field(gt=0, le=60)] = 1.0


_BODY = TypeAdapter(Tested)


@router.post("/test_program_stdio")
async def test_program_stdio(request: Request, labels: CurrentLabels) -> dict[str, Any]:
    """Run the program on every test's input."""
    body = await read(request, _BODY)
    tests = [_stdin_test(test) for test in _listed(body.tests)]
    each = [{"kind": "stdin", "tests": [test]} for test in tests]
    return await _answer(request, labels, body, each)


@router.post("/test_program")
async def test_program(request: Request, labels: CurrentLabels) -> dict[str, Any]:
    """Run every assertion, in a jail of its own beside the program's."""
    body = await read(request, _BODY)
    each = [_assertion(test, body.program) for test in _listed(body.tests)]
    return await _answer(request, labels, body, each)


async def _answer(
    request: Request, labels: Labels, body: Tested, each: list[dict[str, Any]]
) -> dict[str, Any]:
    """1 or 0 and seconds for each test; one item a test, so that each has its own verdict."""
    cut = limits(body.max_execution_time, DEFAULT_MB)
    items = [
        labels.item(
            body.program,
            {"verifiers": [{"name": "code", "params": {**one, "extract": "raw", "limits": cut}}]},
        )
        for one in each
    ]
    waited = min(300.0, max(30.0, 10 * body.max_execution_time))  # as its client's time-out
    results = await decide(request, items, within_s=waited - 2)
    return {
        "results": [int(reward_of(result, "refuse") == 1.0) for result in results],
        "runtimes": [_seconds(result) for result in results],
    }


def _listed(tests: list[Any] | str) -> list[Any]:
    if isinstance(tests, str):
        try:
            tests = json.loads(tests)
        except ValueError:
            raise BadTask("tests", "not JSON; tests as a pickle are refused") from None
    if not isinstance(tests, list) or not 0 < len(tests) <= MAX_TESTS:
        raise BadTask("tests", f"a list of 1 to {MAX_TESTS} tests")
    return tests


def _stdin_test(test: Any) -> dict[str, str]:
    if not isinstance(test, dict) or not {"input", "output"} <= test.keys():
        raise BadTask("tests", "a test on standard input has `input` and `output`")
    return {"input": str(test["input"]), "output": str(test["output"])}


def _assertion(test: Any, program: str) -> dict[str, Any]:
    """Parameters of `code` for code that knows the program's functions by their bare names."""
    if not isinstance(test, str):
        raise BadTask("tests", "a test of /test_program is text, for example `assert f(1) == 2`")
    try:
        called = [n.id for n in ast.walk(ast.parse(test)) if isinstance(n, ast.Name)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadTask("tests", "a test is no Python") from None
    defined = set(_DEFINITION.findall(program))
    names = ", ".join(dict.fromkeys(name for name in called if name in defined))
    imports = f"from program import {names}\n" if names else ""
    return {"kind": "assert", "test_code": imports + test}


def _seconds(result: Result) -> float:
    tests = result.components["code"].details.get("tests") or [{}]
    return float(tests[0].get("time_ms", {}).get("wall", 0.0)) / 1000
