"""A submission's tests share the slots that stand idle, and nobody can tell by the verdict."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import DockerSandbox, Limits, PooledSandbox, Program, Submission, TestCase, Verdict
from sandbox.submission import Scoring

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Sleeps as long as its input says, then prints the rest of it.
SLEEPY = Program(
    "python", "import time\ns, text = input().split()\ntime.sleep(float(s))\nprint(text)"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def single(built: None) -> AsyncIterator[DockerSandbox]:
    async with DockerSandbox(slots=1) as sandbox:
        yield sandbox


def _case(delay_s: float, *, is_right: bool, group: str | None = None) -> TestCase:
    return TestCase(f"{delay_s} x".encode(), b"x" if is_right else b"y", group=group)


@pytest.mark.parametrize(
    ("scoring", "tests"),
    [
        pytest.param(
            "all_or_nothing",
            (_case(0.4, is_right=True), _case(0, is_right=True), _case(0, is_right=True)),
            id="slow-first",
        ),
        pytest.param(
            "all_or_nothing",
            (_case(0.4, is_right=False), _case(0, is_right=False), _case(0, is_right=True)),
            id="second-failure-is-seen-first",
        ),
        pytest.param(
            "fraction",
            (_case(0.4, is_right=False), _case(0, is_right=False), _case(0, is_right=True)),
            id="fraction",
        ),
        pytest.param(
            "groups",
            (
                _case(0.4, is_right=False, group="a"),
                _case(0, is_right=True, group="b"),
                _case(0, is_right=True, group="a"),
                _case(0.2, is_right=True, group="b"),
            ),
            id="groups",
        ),
    ],
)
async def test_a_judgement_does_not_depend_on_how_many_slots_are_idle(
    sandbox: PooledSandbox,
    single: DockerSandbox,
    deadline: float,
    scoring: Scoring,
    tests: tuple[TestCase, ...],
) -> None:
    submission = Submission(SLEEPY, tests, scoring=scoring)
    seen = []
    for place in (single, sandbox):
        judgement = await place.judge(submission, deadline=deadline)
        seen.append((judgement.verdict, judgement.score, [t.verdict for t in judgement.tests]))
    assert seen[0] == seen[1]


async def test_tests_of_a_lone_submission_run_side_by_side(
    sandbox: PooledSandbox, deadline: float
) -> None:
    source = (
        "import sys, time\nbegan = time.monotonic()\ntime.sleep(1)\n"
        "print(began, time.monotonic(), file=sys.stderr)\n"
    )
    submission = Submission(Program("python", source), (TestCase(b"", b""),) * 2)
    judgement = await sandbox.judge(submission, deadline=deadline)
    spans = [[float(word) for word in test.stderr_tail.split()] for test in judgement.tests]
    assert max(began for began, _ in spans) < min(ended for _, ended in spans)


async def test_a_run_that_became_unnecessary_is_stopped(
    sandbox: PooledSandbox, deadline: float
) -> None:
    tests = (_case(0.2, is_right=False), _case(100, is_right=True))
    submission = Submission(SLEEPY, tests, limits=Limits(wall_s=120))
    async with asyncio.timeout(60):
        judgement = await sandbox.judge(submission, deadline=deadline)
    assert [test.verdict for test in judgement.tests] == [Verdict.WRONG_ANSWER, Verdict.SKIPPED]


async def test_submissions_with_many_tests_do_not_stand_in_each_others_way(
    sandbox: PooledSandbox, deadline: float
) -> None:
    large = Submission(SLEEPY, (_case(0.01, is_right=True),) * 40)
    small = Submission(SLEEPY, (_case(0, is_right=True),))
    judgements = await asyncio.gather(
        *(sandbox.judge(s, deadline=deadline) for s in [large] * 4 + [small] * 40)
    )
    assert {judgement.verdict for judgement in judgements} == {Verdict.CORRECT}


async def test_who_waits_for_a_slot_is_served_before_who_comes_later(
    single: DockerSandbox, deadline: float
) -> None:
    served: list[str] = []
    is_busy = asyncio.Event()

    async def ask(name: str, times: int) -> None:
        for number in range(times):
            # Of its own for each: equal programs wait for each other's compilation.
            program = Program("python", f"print('{name} {number}')")
            await single.run(program, deadline=deadline)
            served.append(name)
            if len(served) > 6:
                is_busy.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask("busy", 40))
        await is_busy.wait()
        before = len(served)
        await ask("patient", 1)
        assert served.index("patient") - before <= 3
