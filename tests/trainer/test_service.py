"""The trainer with a real service behind it, which may go away in the middle."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

from grpo_trainer.problems import Problem
from grpo_trainer.rewards import OverHttp
from grpo_trainer.train import Trainer
from reward_client import RewardServiceError
from tests.live_service import LiveService
from tests.trainer.worlds_for_tests import (
    PROBLEMS,
    TOKENIZER,
    config,
    fingerprint,
    policy,
)

SHORT = {"name": "length", "params": {"shape": "cosine", "max_length": 6, "unit": "characters"}}
AWAY_S = 4.0


def problems(verifier: dict[str, Any]) -> list[Problem]:
    return [Problem(one.id, one.prompt, {"verifiers": [verifier]}) for one in PROBLEMS]


@contextmanager
def trainer(
    url: str, *, patience_s: float = 60.0, verifier: Any = SHORT, **changes: Any
) -> Iterator[Trainer]:
    with closing(OverHttp(url, patience_s=patience_s)) as score:
        one = Trainer(config(**changes), policy(), TOKENIZER, problems(verifier), score)
        with closing(one):
            yield one


@contextmanager
def service_at(port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {"SANDBOX_BACKEND": "off", "POOL_WORKERS": "1"}
    env = {**os.environ, **{f"RULEGRADE_{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "reward_service", "serve", "--port", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"no service at {url}")


def test_rewards_over_http_shorten_what_is_paid_for_being_short(service: LiveService) -> None:
    with trainer(service.url, steps=20, group_size=8) as one:
        stats = [one.run_step()[0] for _ in range(20)]
    assert stats[-1]["reward"] > stats[0]["reward"] + 0.2
    assert stats[-1]["length"] < stats[0]["length"]
    assert {one["scored_share"] for one in stats} == {1.0}


def test_a_run_waits_for_a_service_that_was_killed(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "service.log"
    url = f"http://127.0.0.1:{port}"
    with trainer(url) as one, ThreadPoolExecutor() as beside:
        with service_at(port, log):
            wait_until_ready(url)
            seen = [one.run_step()[0] for _ in range(2)]
        step = beside.submit(one.run_step)
        time.sleep(AWAY_S)
        assert not step.done()
        with service_at(port, log):
            seen += [step.result(timeout=120)[0], one.run_step()[0]]
    assert [stats["scored_share"] for stats in seen] == [1.0] * 4
    assert seen[2]["reward_wait_s"] > AWAY_S / 2


def test_without_a_service_everything_is_masked_and_nothing_learned() -> None:
    with trainer(f"http://127.0.0.1:{free_port()}", patience_s=0.5) as one:
        before = fingerprint(one.policy)
        stats, seen = one.run_step()
        assert stats["scored_share"] == 0
        assert {graded.error for graded in seen.graded} == {"unreachable"}
        assert fingerprint(one.policy) == before


def test_a_request_that_is_refused_ends_the_run(service: LiveService) -> None:
    with (
        trainer(service.url, verifier={"name": "luck"}) as one,
        pytest.raises(RewardServiceError, match="unknown verifier"),
    ):
        one.run_step()
