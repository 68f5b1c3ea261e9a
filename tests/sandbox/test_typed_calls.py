"""
What functions return is compared outside, by value: C++, Java, JavaScript, TypeScript, Go, Rust.
"""

import pytest

from sandbox import CallCase, DockerSandbox, Limits, Program, Submission, TestCase, Verdict
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = read("code_typed_calls.jsonl")
LIMITS = Limits(cpu_s=2.0, wall_s=15.0)


def _rows(*languages: str) -> list[object]:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["language"] in languages]


async def _check(sandbox: DockerSandbox, row: Row, deadline: float) -> None:
    cases = [CallCase(row["call"], tuple(test["args"]), test["expected"]) for test in row["tests"]]
    submission = Submission(Program(row["language"], row["source"]), tuple(cases), limits=LIMITS)
    judgement = await sandbox.judge(submission, deadline=deadline)
    assert judgement.verdict is Verdict(row["verdict"]), (row["why"], judgement)


@pytest.mark.parametrize("row", _rows("cpp", "cpp20", "javascript", "typescript", "java"))
async def test_a_returned_value_gets_its_verdict(
    docker_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(docker_sandbox, row, deadline)


@pytest.mark.parametrize("row", _rows("go", "rust"))
async def test_a_returned_value_gets_its_verdict_in_the_full_image(
    full_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(full_sandbox, row, deadline)


@pytest.mark.parametrize(
    ("language", "tests", "match"),
    [
        pytest.param("ruby", (CallCase("f", (), 1),), "functions can be called in", id="ruby"),
        pytest.param("cpp", (CallCase("f", (), 1, {"a": 1}),), "kwargs", id="named-arguments"),
        pytest.param(
            "java",
            (CallCase("f", (), 1), CallCase("g", (), 1)),
            "same function",
            id="two-functions",
        ),
        pytest.param(
            "javascript", (CallCase("f", (), 1), TestCase(b"", b"")), "same", id="call-and-input"
        ),
    ],
)
async def test_calls_that_cannot_be_made_are_refused(
    language: str, tests: tuple[CallCase | TestCase, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        Submission(Program(language, ""), tests)
