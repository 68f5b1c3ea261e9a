"""A worker of its own for a test: the real command in a real process, joined to a real Redis."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

START_TIMEOUT_S = 120.0
SAYS = "rulegrade worker answers probes on "


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that answers probes at `url`; its log is in `log`."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path


@contextmanager
def live_worker(directory: Path, **settings: str | int | float) -> Iterator[LiveWorker]:
    """Run `rulegrade worker` until the block ends; `settings` as in docs/settings.md."""
    given = {"probe_port": 0, "sandbox_backend": "off", "pool_workers": 1, **settings}
    env = {name: value for name, value in os.environ.items() if not name.startswith("RULEGRADE_")}
    env |= {f"RULEGRADE_{name.upper()}": str(value) for name, value in given.items()}
    name = uuid4().hex[:8]
    out, log = directory / f"worker-{name}.out", directory / f"worker-{name}.log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "reward_service", "worker"],
            env=env,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield LiveWorker(_wait_for_probes(process, out, log), process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_for_probes(process: "subprocess.Popen[bytes]", out: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if (line := out.read_text().strip()).startswith(SAYS):
            return line.removeprefix(SAYS)
        time.sleep(0.1)
    raise RuntimeError(f"the worker did not start:\n{out.read_text()}{log.read_text()}")
