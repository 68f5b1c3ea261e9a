"""
Environments of the trainers that the service is tried with, one each, under .tools/peers.

They contradict each other and the service, and are large (6 GB), so they are made on request only.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from provision.console import Log, say

REQUIREMENTS = Path("tests/peers/requirements")
STAMP = "rulegrade-peers"
WITHOUT_DEPENDENCIES = ".no-deps"


def prepare_peers(root: Path, tools: Path, *, log: Log) -> Path:
    """Make every environment that is missing or out of date; the directory they are in."""
    place = tools / "peers"
    for name, files in _peers(root):
        wanted = "".join(file.read_text() for file in files)
        stamp = place / name / STAMP
        if stamp.is_file() and stamp.read_text() == wanted:
            continue
        say(f"Making the environment {name} (minutes; details in {log.path})")
        shutil.rmtree(place / name, ignore_errors=True)
        log.run([sys.executable, "-m", "venv", place / name])
        for file in files:
            pip = [str(place / name / "bin/python"), "-m", "pip", "install", "-r", str(file)]
            alone = ["--no-deps", "--ignore-requires-python"]
            log.run([*pip, *(alone if WITHOUT_DEPENDENCIES in file.name else [])])
        stamp.write_text(wanted)
    return place


def _peers(root: Path) -> Iterator[tuple[str, list[Path]]]:
    """Each environment's name and its files of requirements, those with dependencies first."""
    for file in sorted((root / REQUIREMENTS).glob("*.txt")):
        if WITHOUT_DEPENDENCIES not in file.name:
            alone = file.with_name(f"{file.stem}{WITHOUT_DEPENDENCIES}.txt")
            yield file.stem, [file, *([alone] if alone.is_file() else [])]
