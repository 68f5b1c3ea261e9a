"""The whole set in containers, with each Compose of this machine: `python3 dev.py test --compose`.

It builds the images and takes minutes, so it is not among the tests that always run.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any
from uuid import uuid4

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.conftest import missing
from tests.deploy.expressions import of_alerts, of_dashboard

ROOT = Path(__file__).parents[2]
OPT_IN = "RULEGRADE_TEST_COMPOSE"
READY_TIMEOUT_S = 180.0
VARIANTS = {
    "1.29": (["docker-compose"], ["docker-compose.yml"]),
    "2": (["docker", "compose"], ["docker-compose.yml"]),
    "2-no-socket": (["docker", "compose"], ["docker-compose.yml", "deploy/no-socket.yml"]),
}
WITHOUT_DATA = ("errors", "rejected", "given_up")
"""Nothing of the kind has happened; Prometheus knows a series from its first sample on."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """A running set; `command` is Compose with this set's project and files."""

    variant: str
    command: list[str]
    environment: dict[str, str]
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['RULEGRADE_PORT']}"

    @property
    def prometheus(self) -> str:
        return f"http://127.0.0.1:{self.environment['RULEGRADE_PROMETHEUS_PORT']}"

    def compose(self, *arguments: str) -> str:
        """What Compose says on standard output; it must end well."""
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def container(self, service: str) -> Json:
        """What the engine knows of the first container of `service`."""
        name = self.compose("ps", "-q", service).split()[0]
        told = subprocess.check_output(["docker", "inspect", name])
        found: Json = json.loads(told)[0]
        return found

    def score_examples(self) -> "subprocess.CompletedProcess[str]":
        """Send the example batch, as README says."""
        return subprocess.run(
            [sys.executable, "examples/run_batch.py", "--url", self.url],
            cwd=ROOT,
            env={**os.environ, "RULEGRADE_API_KEY": self.key},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module", params=VARIANTS)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    if not os.environ.get(OPT_IN):
        pytest.skip(f"minutes of building; `python3 dev.py test --compose`, or set {OPT_IN}")
    request.getfixturevalue("built")
    program, files = VARIANTS[request.param]
    if not shutil.which(program[0]) or subprocess.call(
        [*program, "version"], stdout=DEVNULL, stderr=DEVNULL
    ):
        missing("compose", f"no `{' '.join(program)}` here")
    key, key_hash = new_api_key()
    environment = {
        **os.environ,
        "RULEGRADE_API_KEYS": key_hash,
        "RULEGRADE_PORT": str(free_port()),
        "RULEGRADE_PROMETHEUS_PORT": str(free_port()),
    }
    project = f"rulegrade-test-{uuid4().hex[:8]}"
    command = [*program, "-p", project, "--profile", "observability"]
    command += [part for file in (*files, *further_files()) for part in ("-f", file)]
    running = Stack(request.param, command, environment, key)
    try:
        running.compose("up", "-d", "--build", "--scale", "worker=2")
        wait_until_ready(running)
        yield running
    finally:
        running.compose("down", "-v", "-t", "40")
        for kind in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
            label = f"label=com.docker.compose.project={project}"
            assert not subprocess.check_output(["docker", *kind, "--filter", label])


def further_files() -> list[str]:
    """What this machine needs beside our files, to build for example: paths in the variable."""
    return [one for one in os.environ[OPT_IN].split(",") if one.endswith((".yml", ".yaml"))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{stack.url}/readyz", timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise RuntimeError(stack.compose("logs", "--tail", "20"))


def test_math_code_and_format_get_the_verdicts_they_should(stack: Stack) -> None:
    done = stack.score_examples()
    assert done.returncode == 0, done.stdout + done.stderr
    isolation = "local, jail rlimits" if stack.variant == "2-no-socket" else "docker, jail full"
    assert f"isolation: {isolation}" in done.stdout


def test_no_key_no_reward(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/v1/verifiers", timeout=30).status_code == 401


@pytest.mark.parametrize("service", ["api", "worker", "runner", "redis", "prometheus"])
def test_only_the_runner_has_the_socket_and_nobody_a_capability(stack: Stack, service: str) -> None:
    found = stack.container(service)
    host = found["HostConfig"]
    has_socket = any(mount["Source"].endswith("docker.sock") for mount in found["Mounts"])
    is_trusted = service == "runner" and stack.variant != "2-no-socket"
    assert has_socket == is_trusted
    assert (found["Config"]["User"].partition(":")[0] in ("", "0", "root")) == is_trusted
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["PidsLimit"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"]["max-size"]


def test_everybody_becomes_healthy(stack: Stack) -> None:
    services = {"api", "worker", "runner", "redis", "prometheus"}
    deadline = time.monotonic() + READY_TIMEOUT_S
    while services and time.monotonic() < deadline:
        healthy = {
            service
            for service in services
            if stack.container(service)["State"]["Health"]["Status"] == "healthy"
        }
        services -= healthy
        time.sleep(1)
    assert not services


def test_prometheus_sees_every_process_and_can_answer_dashboard_and_alerts(stack: Stack) -> None:
    def ask(path: str, **parameters: str) -> Json:
        answer = httpx.get(f"{stack.prometheus}/api/v1/{path}", params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        data: Json = answer.json()["data"]
        return data

    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        targets = ask("targets")["activeTargets"]
        if [target["health"] for target in targets] == ["up"] * 4:
            break
        time.sleep(1)
    assert sorted(target["labels"]["job"] for target in targets) == ["api", *["worker"] * 3]
    stack.score_examples()
    time.sleep(11)  # two scrapes: a rate needs them
    for expression in of_dashboard():
        rows = ask("query", query=expression)["result"]
        assert rows or any(word in expression for word in WITHOUT_DATA), expression

    def missed() -> set[str]:  # the others may be right on a busy machine
        alerts = {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"]}
        return alerts & {"NoApi", "NoWorker"}

    while missed() and time.monotonic() < deadline:
        time.sleep(1)  # both were true before the set was up, and are looked at now and then
    assert not missed()
    rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    assert [rule["health"] for rule in rules] == ["ok"] * len(list(of_alerts()))
    tested = ("exec", "-T", "-w", "/etc/prometheus", "prometheus", "promtool")
    stack.compose(*tested, "check", "config", "prometheus.yml")
    stack.compose(*tested, "test", "rules", "alerts_test.yml")


def right(number: int, salt: str) -> Json:
    """A right answer that nobody has given before, every other one a program."""
    if number % 2:
        code = f"# {salt} {number}\nimport time\ntime.sleep(0.2)\nprint({number})"
        tests = [{"input": "", "output": f"{number}\n"}] * 2
        params = {"language": "python", "tests": tests}
        verifier: Json = {"name": "code", "params": params}
        completion = f"```python\n{code}\n```"
    else:
        verifier = {"name": "math"}
        completion = f"{salt}: \\boxed{{{number}}}"
    truth = {"ground_truth": str(number), "verifiers": [verifier]}
    return {"id": str(number), "completion": completion, **truth}


def test_a_restart_of_the_workers_costs_no_verdict(stack: Stack) -> None:
    items = [right(number, uuid4().hex) for number in range(64)]
    with subprocess.Popen(
        [*stack.command, "restart", "-t", "40", "worker", "runner"],
        cwd=ROOT,
        env=stack.environment,
        stdout=DEVNULL,
        stderr=DEVNULL,
    ) as restart:
        answer = httpx.post(
            f"{stack.url}/v1/rewards",
            json={"items": items, "deadline_ms": 600_000},
            headers={"X-API-Key": stack.key},
            timeout=630,
        )
    assert restart.returncode == 0
    assert answer.json()["rewards"] == [1.0] * len(items)
