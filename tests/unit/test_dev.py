"""`dev.py` as typed by a newcomer, where it can be tried without minutes of installing."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from provision.environment import STAMP, is_ready

DEV = Path(__file__).parents[2] / "dev.py"


def dev(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, DEV, *arguments], capture_output=True, text=True, timeout=60
    )


def test_help_lists_the_verbs() -> None:
    ended = dev("--help")
    assert ended.returncode == 0
    assert all(verb in ended.stdout for verb in ("setup", "run", "test", "check", "demo", "bench"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["fly"], id="unknown-verb"),
        pytest.param([], id="no-verb"),
        pytest.param(["run", "--twice"], id="unknown-flag"),
        pytest.param(["demo", "chess"], id="unknown-demonstration"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_set_up(arguments: list[str]) -> None:
    ended = dev(*arguments)
    assert ended.returncode == 2
    assert "==>" not in ended.stdout


def test_a_busy_port_is_named_with_another_one_to_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = dev("run", "--once", "--port", str(port))
    assert ended.returncode == 1
    assert f"Port {port}" in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize(
    ("stamp", "interpreter", "ready"),
    [
        pytest.param("key", True, True, id="whole"),
        pytest.param("unfinished", True, False, id="interrupted"),
        pytest.param("older", True, False, id="another-lock"),
        pytest.param(None, True, False, id="made-by-somebody-else"),
        pytest.param("key", False, False, id="interpreter-gone"),
    ],
)
def test_only_a_whole_environment_is_used_as_it_is(
    tmp_path: Path, stamp: str | None, interpreter: bool, ready: bool
) -> None:
    (tmp_path / "bin").mkdir()
    target = sys.executable if interpreter else "/nonexistent/python"
    (tmp_path / "bin/python").symlink_to(target)
    if stamp is not None:
        (tmp_path / STAMP).write_text(stamp)
    assert is_ready(tmp_path, "key") is ready


def test_without_an_engine_a_missing_compiler_is_named_with_its_package(
    tmp_path: Path,
) -> None:
    code = (
        "from pathlib import Path; from provision.console import Log; "
        "from provision.host import ensure_host_can_run_programs as ensure; "
        "ensure(log=Log(Path('setup.log')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(DEV.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "SetupError" in ended.stderr
    assert "sudo apt-get install -y gcc libc6-dev g++" in ended.stderr
