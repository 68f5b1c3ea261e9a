"""
The project's virtual environment, equal to the lock file or rebuilt.

A stamp inside it says which lock, interpreter and place it was made for. It reads `unfinished`
before anything is installed and is replaced after the last step, so that an interrupted set-up is
done again from nothing instead of passing for a whole one.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision import debian
from provision.console import Log, SetupError, say

LOCK_FILE = Path("requirements/lock.txt")
STAMP = "rulegrade-setup"
UNFINISHED = "unfinished"


def prepare(root: Path, *, log: Log) -> Path:
    """Make `root/.venv` hold exactly what the project needs and return its `bin` directory."""
    place = root / ".venv"
    key = _key(root)
    with _alone(root / "run"):
        if is_ready(place, key):
            return place / "bin"
        _create(place, log)
        _install(root, place, log)
        _write_stamp(place, key)
    say(f"Environment ready: {place}")
    return place / "bin"


def is_ready(place: Path, key: str) -> bool:
    """Whether `place` was completed for `key` and its interpreter is still there."""
    return _stamp(place) == key and (place / "bin/python").exists()


def _key(root: Path) -> str:
    """Name everything that decides what belongs into the environment.

    Tools are configured in pyproject.toml too; only its packaging tables count.
    """
    tables = tomllib.loads((root / "pyproject.toml").read_text())
    packaging = [tables["build-system"], tables["project"], tables["tool"]["hatch"]]
    parts = [
        (root / LOCK_FILE).read_text(),
        json.dumps(packaging, sort_keys=True),
        sys.version,
        str(root),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@contextmanager
def _alone(runtime: Path) -> Iterator[None]:
    """Keep two commands in two terminals from building the same environment."""
    runtime.mkdir(exist_ok=True)
    with (runtime / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp(place: Path) -> str | None:
    try:
        return (place / STAMP).read_text()
    except OSError:
        return None


def _write_stamp(place: Path, text: str) -> None:
    draft = place / f"{STAMP}.draft"
    draft.write_text(text)
    draft.replace(place / STAMP)


def _create(place: Path, log: Log) -> None:
    """Make an empty environment; one that somebody else made there is kept and added to."""
    if (place / "bin/python").exists() and _stamp(place) is None:
        say(f"Using the virtual environment found at {place}")
        return
    if not _has("ensurepip") and not _has("pip"):
        _get_ensurepip(log)
    say(f"Making a virtual environment at {place}")
    pip = [] if _has("ensurepip") else ["--without-pip"]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    _write_stamp(place, UNFINISHED)
    log.run([_base_python(), "-I", "-m", "venv", *pip, place])


def _get_ensurepip(log: Log) -> None:
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not debian.can_install():
        raise SetupError(
            f"{_base_python()} has neither pip nor ensurepip, so nothing can be installed.\n"
            f"On Debian or Ubuntu: sudo apt-get install -y {package}\n"
            "Elsewhere: install your system's pip for this Python. Then run the command again."
        )
    debian.install(package, log=log)
    importlib.invalidate_caches()


def _install(root: Path, place: Path, log: Log) -> None:
    """Install with pip, which alone among installers obeys the pip settings of this machine."""
    pip = pip_command(place, log)
    say(f"Installing the locked packages (about a minute; details in {log.path})")
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(root / LOCK_FILE)]
    log.run([*pip, "install", *locked])
    log.run([*pip, "install", "--no-deps", "--no-build-isolation", "-e", str(root)])


def pip_command(place: Path, log: Log) -> list[str]:
    """Return the command of the environment's own pip, or of one that works on it from outside."""
    python = str(place / "bin/python")
    if not _has_pip(place) and _has("pip"):
        return [_base_python(), "-I", "-m", "pip", "--python", python]
    if not _has_pip(place):
        log.run([python, "-I", "-m", "ensurepip"])
    return [python, "-I", "-m", "pip"]


def _has_pip(place: Path) -> bool:
    return any(place.glob("lib/python*/site-packages/pip/__main__.py"))


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _base_python() -> str:
    """Return the interpreter outside any virtual environment that dev.py may be running in.

    Python cannot name itself when it was started without PATH, as `env -i python3` does.
    """
    base: str = getattr(sys, "_base_executable", sys.executable)
    return base or os.path.realpath("/proc/self/exe")
