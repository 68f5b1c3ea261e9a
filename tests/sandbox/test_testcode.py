"""Test code in a jail, the program in another: what crosses, and what earns nothing."""

from pathlib import Path

import pytest

from sandbox import (
    Limits,
    LocalSandbox,
    PooledSandbox,
    Program,
    SandboxError,
    Submission,
    TestCode,
    Verdict,
)
from tests.sandbox.sandbox_cases import Row, read

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = [pytest.param(row, id=row["id"]) for row in read("code_test_code.jsonl")]

HAS_PYTEST = Path("/usr/lib/python3/dist-packages/pytest").is_dir()


def submission_of(row: Row) -> Submission:
    files = {name: text.encode() for name, text in row.get("files", {}).items()}
    return Submission(
        Program("python", row["source"]),
        test_code=TestCode(row["kind"], row["test_code"], row.get("entry_point"), files),
        scoring=row.get("scoring", "all_or_nothing"),
        limits=Limits(**row.get("limits", {})),
    )


@pytest.mark.parametrize("row", CASES)
async def test_a_program_gets_its_verdict_from_test_code(
    sandbox: PooledSandbox, deadline: float, row: Row
) -> None:
    if row["kind"] == "pytest" and isinstance(sandbox, LocalSandbox) and not HAS_PYTEST:
        pytest.skip("needs python3-pytest on this host")
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict == row["verdict"], (row["why"], judgement)
    assert (judgement.score == 1.0) is (row["verdict"] == "correct")
    assert judgement.passed == row.get("passed", judgement.passed)
    assert judgement.total == row.get("total", judgement.total)
    assert judgement.trust == "two_box"


@pytest.mark.parametrize(
    ("kind", "code", "why"),
    [
        pytest.param("assert", "assert 1 == 1", "never uses", id="uses-nothing"),
        pytest.param("assert", "import pandas\nassert f()", "pandas", id="lacks-a-package"),
        pytest.param("assert", "1 / 0\nassert f()", "by itself", id="fails-before-any-use"),
        pytest.param("assert", "assertSame(f(), 1)", "assertSame", id="lacks-an-assertion"),
        pytest.param("assert", "import assertpy\nassert f()", "assertpy", id="lacks-assertions"),
        pytest.param("unittest", "import solution", "no test", id="holds-no-test"),
        pytest.param("unittest", "assert f() ==", "by itself", id="does-not-parse"),
        pytest.param("unittest", "import os\nos._exit(0)", "verdict", id="ends-early"),
    ],
)
async def test_test_code_that_fails_by_itself_is_no_verdict(
    sandbox: PooledSandbox, deadline: float, kind: str, code: str, why: str
) -> None:
    row = {"source": "def f(): return 1\n", "kind": kind, "test_code": code}
    with pytest.raises(SandboxError, match=why):
        await sandbox.judge(submission_of(row), deadline=deadline)


async def test_tests_that_compute_for_ever_are_not_the_programs_fault(
    sandbox: PooledSandbox, deadline: float
) -> None:
    code = "assert f() == 1\nwhile True: pass"
    row = {"source": "def f(): return 1\n", "kind": "assert", "test_code": code}
    with pytest.raises(SandboxError):
        await sandbox.judge(submission_of(row), deadline=deadline)


async def test_messages_name_the_tests_and_say_why(sandbox: PooledSandbox, deadline: float) -> None:
    row = {
        "source": "def f(x): return x\n",
        "kind": "assert",
        "test_code": "assert f(1) == 1\nassert f(2) == 3, 'two is not three'",
    }
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict is Verdict.WRONG_ANSWER
    assert [test.name for test in judgement.tests] == ["line 1", "line 2"]
    assert judgement.tests[1].message == "AssertionError: two is not three"


async def test_two_objects_are_equal_if_the_program_says_so_and_a_flag_tells(
    sandbox: PooledSandbox, deadline: float
) -> None:
    row = {
        "source": "class P:\n    def __eq__(self, other):\n        return True\n",
        "kind": "assert",
        "test_code": "assert P() == P()",
    }
    judgement = await sandbox.judge(submission_of(row), deadline=deadline)
    assert judgement.verdict is Verdict.CORRECT
    assert "object_eq" in judgement.flags
