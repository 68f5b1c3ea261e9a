"""The sandbox as a library: from plain code, from threads, from an event loop, and when closed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import (
    AsyncSandbox,
    DeadlineExceeded,
    Limits,
    Program,
    Sandbox,
    SandboxUnavailable,
    Submission,
    TestCase,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sandbox.md").read_text("utf-8")
CODE = '#include <fstream>\nint main() { std::ofstream("out.txt") << 42; }'
ENDLESS = Limits(cpu_s=60, wall_s=180)


@pytest.fixture(scope="module")
def plain(built: None) -> Iterator[Sandbox]:
    with Sandbox(slots=2) as sandbox:
        yield sandbox


def test_the_example_of_the_page_does_what_it_says(
    built: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/sandbox.md", "exec"), {"CODE": CODE})  # noqa: S102
    promised = re.findall(r"  # (.*)\n", example)
    assert capsys.readouterr().out.splitlines() == promised


def test_many_threads_share_one_sandbox(plain: Sandbox) -> None:
    def plus_one(number: int) -> bytes:
        return plain.run("python", "print(int(input()) + 1)", stdin=str(number)).stdout

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(plus_one, range(64)))
    assert found == [b"%d\n" % (number + 1) for number in range(64)]


def test_a_call_that_takes_too_long_is_an_error(plain: Sandbox) -> None:
    with pytest.raises(DeadlineExceeded):
        plain.run("python", "import time\ntime.sleep(60)", limits=ENDLESS, timeout_s=1)
    assert plain.run("python", "print(1)").stdout == b"1\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("python",), id="no-source"),
        pytest.param((Program("python", ""), "print(1)"), id="two-sources"),
    ],
)
def test_what_is_no_program_is_refused(plain: Sandbox, words: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="source"):
        plain.run(*words)


def test_it_says_so_when_it_is_not_running(built: None) -> None:
    sandbox = Sandbox(slots=1)
    with pytest.raises(SandboxUnavailable, match="with"):
        sandbox.run("python", "print(1)")
    for _ in range(2):  # it can be opened again
        with sandbox:
            assert sandbox.run("python", "print(1)").stdout == b"1\n"
    with pytest.raises(SandboxUnavailable, match="with"):
        sandbox.judge(Submission(Program("python", ""), (TestCase(b"", b""),)))
    sandbox.close()


def test_closing_ends_the_calls_of_other_threads(built: None) -> None:
    threads_before = threading.active_count()
    with ThreadPoolExecutor() as threads:
        with Sandbox(slots=1) as sandbox:
            calls = [
                threads.submit(sandbox.run, "python", "while True: pass", limits=ENDLESS)
                for _ in range(3)
            ]
            time.sleep(1)
        for call in calls:
            with pytest.raises(SandboxUnavailable, match="closed"):
                call.result(timeout=30)
    assert threading.active_count() == threads_before


def test_ctrl_c_ends_the_program_and_leaves_the_sandbox_usable(built: None) -> None:
    code = """
import signal
from sandbox import Limits, Sandbox
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for background jobs
with Sandbox(slots=1) as sandbox:
    print("up", flush=True)
    try:
        sandbox.run("python", "while True: pass", limits=Limits(cpu_s=60, wall_s=180))
    except KeyboardInterrupt:
        print(sandbox.run("python", "print(42)").stdout.decode(), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip() == "42"
    assert process.returncode == 0


def test_a_sandbox_that_cannot_start_says_why_and_can_be_tried_again(docker_engine: None) -> None:
    sandbox = Sandbox("docker", image="rulegrade/no-such-image:1", slots=1)
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="sandbox build"):
            sandbox.start()


async def test_an_asynchronous_one_says_so_when_it_is_not_running() -> None:
    with pytest.raises(SandboxUnavailable, match="with"):
        await AsyncSandbox().run("python", "print(1)")


def test_on_an_event_loop_calls_wait_for_each_other_only_for_slots(built: None) -> None:
    async def main() -> list[bytes]:
        async with AsyncSandbox(slots=2) as sandbox:
            assert sandbox.isolation()["level"] in ("full", "rlimits")
            sources = [f"print({number})" for number in range(8)]
            runs = await asyncio.gather(*(sandbox.run("python", source) for source in sources))
            judgement = await sandbox.judge(
                Submission(Program("python", "print(1)"), (TestCase(b"", b"1"),))
            )
            assert judgement.score == 1.0
            return [run.stdout for run in runs]

    assert asyncio.run(main()) == [b"%d\n" % number for number in range(8)]
