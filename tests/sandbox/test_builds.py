"""A program is compiled once, however many slots run it and however often it comes."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from sandbox import PooledSandbox, Program, Submission, TestCase, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _different(program: Program) -> Program:
    """The same to its compiler's user, but never seen before."""
    return replace(program, source=f"{program.source}\n// {uuid.uuid4()}\n")


ADD = Program(
    "cpp",
    "#include <bits/stdc++.h>\n"
    "int main() { long long a, b; std::cin >> a >> b; std::cout << a + b; }",
)
TESTS = tuple(TestCase(f"{n} 1\n".encode(), str(n + 1).encode()) for n in range(4))


async def test_many_at_a_time_compile_once(sandbox: PooledSandbox, deadline: float) -> None:
    submission = Submission(_different(ADD), TESTS)
    made = sandbox.compilations.made
    judgements = await asyncio.gather(
        *(sandbox.judge(submission, deadline=deadline) for _ in range(64))
    )
    assert {judgement.score for judgement in judgements} == {1.0}
    assert sandbox.compilations.made == made + 1


async def test_what_does_not_compile_is_remembered_with_its_messages(
    sandbox: PooledSandbox, deadline: float
) -> None:
    submission = Submission(_different(Program("cpp", "int main() { return missing; }")), TESTS)
    made = sandbox.compilations.made
    first = await sandbox.judge(submission, deadline=deadline)
    second = await sandbox.judge(submission, deadline=deadline)
    assert first == second
    assert first.verdict is Verdict.COMPILE_ERROR
    assert "missing" in first.compile_output
    assert sandbox.compilations.made == made + 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(ADD, replace(ADD, source=ADD.source.replace("+ b", "- b")), id="source"),
        pytest.param(ADD, replace(ADD, language="cpp20"), id="standard"),
        pytest.param(
            Program("cpp", '#include "n.h"\nint main() {}', files={"n.h": b"// 1"}),
            Program("cpp", '#include "n.h"\nint main() {}', files={"n.h": b"// 2"}),
            id="file",
        ),
    ],
)
async def test_whatever_the_compiler_sees_makes_another_program(
    sandbox: PooledSandbox, deadline: float, before: Program, after: Program
) -> None:
    made = sandbox.compilations.made
    tag = f"\n// {uuid.uuid4()}\n"
    for program in (before, after, before):
        await sandbox.run(replace(program, source=program.source + tag), b"1 1", deadline=deadline)
    assert sandbox.compilations.made == made + 2


async def test_a_program_too_large_to_be_kept_runs_all_the_same(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = (
        'char blob[20 << 20] = {1};\n#include <cstdio>\nint main() { puts(blob[0] ? "42" : ""); }'
    )
    submission = Submission(_different(Program("cpp", source)), (TestCase(b"", b"42"),) * 3)
    for _ in range(2):
        judgement = await sandbox.judge(submission, deadline=deadline)
        assert judgement.verdict is Verdict.CORRECT, judgement
