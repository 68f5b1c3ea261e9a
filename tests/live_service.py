"""A service of its own for a test: the real command in a real process, on a free port."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class LiveService:
    """A service that answers at `url`; its log is in `log`."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def score(self, body: Mapping[str, Any], *, timeout_s: float = 300) -> dict[str, Any]:
        """Send a batch and insist on an answer."""
        response = httpx.post(f"{self.url}/v1/rewards", json=body, timeout=timeout_s)
        assert response.status_code == 200, response.text[:2000]
        answer: dict[str, Any] = response.json()
        return answer

    def metric(self, name: str) -> float:
        """A figure of `/metrics`, the sum over its labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=60).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextmanager
def live_service(directory: Path, **settings: str | int) -> Iterator[LiveService]:
    """Run `rulegrade serve` until the block ends; `settings` as in docs/settings.md."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RULEGRADE_")}
    env |= {f"RULEGRADE_{name.upper()}": str(value) for name, value in settings.items()}
    out, log = directory / "service.out", directory / "service.log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "reward_service", "serve", "--port", "0"],
            env=env,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        url = _wait_until_ready(process, out, log)
        yield LiveService(url, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_until_ready(process: "subprocess.Popen[bytes]", out: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    url = ""
    while process.poll() is None and time.monotonic() < deadline:
        if not url and (line := out.read_text().strip()).startswith("rulegrade listens on "):
            url = line.removeprefix("rulegrade listens on ")
        if url and httpx.get(f"{url}/readyz", timeout=30).status_code == 200:
            return url
        time.sleep(0.1)
    raise RuntimeError(f"the service did not become ready:\n{out.read_text()}{log.read_text()}")
