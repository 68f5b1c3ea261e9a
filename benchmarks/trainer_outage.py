"""
The math demonstration with its service killed for 20 s in the middle of the run.

    python -m benchmarks.trainer_outage [--seed 1]

The service gets SIGKILL once twelve steps are done, and another one is started on its port 20 s
later. The run must wait, lose no reward, and learn what it learns anyway.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import torch

from grpo_trainer.demo import REWARDS, Stage, cold_start, reinforce
from grpo_trainer.rewards import OverHttp
from grpo_trainer.runlog import read_metrics
from grpo_trainer.worlds import math_world

KILLED_AFTER_STEPS = 12
AWAY_S = 20.0
START_S = 120.0


class Service:
    """A service on one port that can be killed and started again."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = log
        self.start()
        end = time.monotonic() + START_S
        while not self._is_ready():
            if time.monotonic() > end:
                raise SystemExit(f"the service did not start: {log.read_text()}")
            time.sleep(0.2)

    def start(self) -> None:
        """Start it; returns at once."""
        command = [sys.executable, "-m", "reward_service", "serve", "--sandbox-backend", "off"]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port)],
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it and its workers without a chance to say goodbye."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False


def interrupt(service: Service, directory: Path) -> None:
    """Wait for the steps, kill, wait, start again."""
    metrics = directory / "metrics.jsonl"
    while not metrics.exists() or len(read_metrics(directory, "train")) < KILLED_AFTER_STEPS:
        time.sleep(0.2)
    service.kill()
    print(f"the service is killed for {AWAY_S:.0f} s", flush=True)
    time.sleep(AWAY_S)
    service.start()
    print("the service is started again", flush=True)


def main() -> None:
    """Train through the outage and print what it did to the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        service = Service(out / "service.log")
        try:
            with closing(OverHttp(service.url)) as score:
                stage = Stage(math_world(), score, out, options.seed)
                cold_start(stage)
                directory = stage.directory(REWARDS)
                outage = threading.Thread(target=interrupt, args=(service, directory), daemon=True)
                outage.start()
                reinforce(stage, REWARDS)
        finally:
            service.kill()
        steps, curve = read_metrics(directory, "train"), read_metrics(directory, "evaluation")
        waits = sorted(step["reward_wait_s"] for step in steps)
        print(
            f"\nlongest wait for rewards {waits[-1]:.1f} s, median {waits[len(waits) // 2]:.2f} s"
        )
        print(f"least share of completions scored {min(s['scored_share'] for s in steps):.3f}")
        print(f"pass@1 {curve[0]['pass_1']:.3f} > {curve[-1]['pass_1']:.3f}")


if __name__ == "__main__":
    main()
