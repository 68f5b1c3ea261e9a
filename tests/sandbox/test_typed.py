"""
Test code in C++, Java, JavaScript, TypeScript and Rust: honest programs pass, no attack does.

The rows are programs with test code; `why` says what each one shows.
"""

from dataclasses import replace

import pytest

from sandbox import DockerSandbox, Limits, Program, Submission, TestCode, Verdict
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROWS = read("code_typed.jsonl")
LIMITS = Limits(cpu_s=2.0, wall_s=15.0)


def _rows(*languages: str) -> list[object]:
    return [pytest.param(row, id=row["id"]) for row in ROWS if row["language"] in languages]


def _submission(row: Row) -> Submission:
    test_code = TestCode("assert", row["tests"], row.get("entry_point"))
    program = Program(row["language"], row["source"])
    submission = Submission(program, limits=LIMITS, test_code=test_code)
    return replace(submission, scoring=row.get("scoring", "all_or_nothing"))


async def _check(sandbox: DockerSandbox, row: Row, deadline: float) -> None:
    judgement = await sandbox.judge(_submission(row), deadline=deadline)
    score = row.get("score", float(row["verdict"] == "correct"))
    seen = (judgement.verdict, judgement.score)
    assert seen == (Verdict(row["verdict"]), score), (row["why"], judgement)


@pytest.mark.parametrize("row", _rows("cpp", "javascript", "java"))
async def test_a_verdict_of_test_code(
    docker_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(docker_sandbox, row, deadline)


@pytest.mark.parametrize("row", _rows("typescript", "rust"))
async def test_a_verdict_of_test_code_in_the_full_image(
    full_sandbox: DockerSandbox, deadline: float, row: Row
) -> None:
    await _check(full_sandbox, row, deadline)


@pytest.mark.parametrize(
    ("language", "kind", "test_code", "match"),
    [
        pytest.param("go", "assert", "x", r"tests as code are for", id="no-test-code-in-go"),
        pytest.param("cpp", "pytest", "int main() { f(); }", r"is for python", id="kind-of-python"),
        pytest.param(
            "cpp",
            "assert",
            "int main() { assert(f(1) == 1; }",
            r"missing|closes",
            id="missing-bracket",
        ),
        pytest.param("cpp", "assert", "int f() { return 1; }", r"calls nothing", id="no-call"),
        pytest.param("java", "assert", "class Main { void f() {} }", r"no class", id="no-main"),
        pytest.param("rust", "assert", "fn f() {}", r"no function", id="no-test"),
    ],
)
async def test_test_code_that_cannot_be_run_is_refused(
    language: str, kind: str, test_code: str, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        Submission(Program(language, ""), test_code=TestCode(kind, test_code))  # type: ignore[arg-type]
