"""
Real trainers against a live service: `python3 dev.py test --peers`.

Each trainer has an environment of its own, in which a script of `scripts/` drives the trainer's own
code; what it prints after `RESULT ` is judged here.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live_service import LiveService, live_service

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
MARK = "RESULT "
TIMEOUT_S = 900  # importing a trainer takes a minute on a busy machine
Peer = Callable[..., Any]


@pytest.fixture(scope="session")
def peers() -> Path:
    """Where the environments are."""
    given = os.environ.get("RULEGRADE_TEST_PEERS")
    if not given:
        pytest.skip("opt-in: python3 dev.py test --peers")
    return Path(given)


@pytest.fixture(scope="session")
def service(
    peers: Path, docker_engine: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveService]:
    """One service for all trainers."""
    with live_service(tmp_path_factory.mktemp("peers"), sandbox_slots=2) as running:
        yield running


@pytest.fixture(scope="session")
def peer(peers: Path) -> Peer:
    """Run a script in a trainer's environment: `peer(environment, script, url, *arguments)`."""

    def run(environment: str, script: str, url: str, *arguments: str) -> Any:
        ended = subprocess.run(
            [peers / environment / "bin/python", SCRIPTS / script, url, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108 - only a default
                "PYTHONPATH": str(ROOT / "clients"),
                "HF_HUB_OFFLINE": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "TOKENIZERS_PARALLELISM": "false",
                "RULEGRADE_URL": url,
                "RULEGRADE_VERIFIERS": '[{"name": "math"}]',
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        lines = [line for line in ended.stdout.splitlines() if line.startswith(MARK)]
        assert lines, f"{script} ended with {ended.returncode}:\n{ended.stderr[-6000:]}"
        return json.loads(lines[-1].removeprefix(MARK))

    return run
