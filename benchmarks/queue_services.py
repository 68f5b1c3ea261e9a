"""What is measured: a Redis, services and workers of the measurement's own, and bare uvicorn."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

ANSWER = b'{"rewards":[1.0],"bare":"' + b"x" * 560 + b'"}'
"""As long as a real one."""

OWN, OF_THE_DEAD = 11, 13
"""Fields after a process's name: its own CPU time, and that of children it has buried."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running one."""

    port: int
    api: int
    """Process that answers HTTP."""
    others: Sequence[int] = ()
    """Workers."""

    def cpu_s(self) -> tuple[float, float]:
        """CPU time so far of the API process alone, and of all processes with their children."""
        return cpu_s(self.api), sum(map(cpu_of_all_s, (self.api, *self.others)))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def cpu_of_all_s(pid: int) -> float:
    """CPU time so far of a process with its children, those that live and those gone."""
    return sum(cpu_s(each) + cpu_s(each, first=OF_THE_DEAD) for each in _tree(pid))


def cpu_s(pid: int, *, first: int = OWN) -> float:
    """In user and system mode, which `first` and the next field of `/proc` tell."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[first]) + int(fields[first + 1])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def private_redis() -> Iterator[str]:
    """A Redis with an append-only file, for this measurement alone."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rulegrade-bench-") as directory:
        program = shutil.which("redis-server") or "redis-server"
        process = subprocess.Popen(
            [
                *(program, "--port", str(port), "--save", "", "--appendonly", "yes"),
                *("--dir", directory, "--logfile", "redis.log", "--bind", "127.0.0.1"),
            ]
        )
        time.sleep(1)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


@contextmanager
def service(redis_url: str | None = None, workers: int = 0) -> Iterator[Service]:
    """A service without sandbox and cache, once it is ready."""
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("RULEGRADE_")}
    env |= {"RULEGRADE_SANDBOX_BACKEND": "off", "RULEGRADE_CACHE_MB": "0"}
    env |= {"RULEGRADE_POOL_WORKERS": "1", "RULEGRADE_LOG_LEVEL": "warning"}
    if redis_url:
        env["RULEGRADE_REDIS_URL"] = redis_url
    verbs = [["worker", "--probe-port", "0"]] * workers + [["serve", "--port", str(port)]]
    with ExitStack() as running:
        pids = []
        for verb in verbs:
            command = [sys.executable, "-m", "reward_service", *verb]
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.terminate)
            pids.append(process.pid)
        _wait(f"http://127.0.0.1:{port}", workers)
        yield Service(port, pids[-1], pids[:-1])


@contextmanager
def bare_server() -> Iterator[Service]:
    """The same HTTP server around an application that reads the body and answers with bytes."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.queue_services", str(port)]
    process = subprocess.Popen(command)
    try:
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        yield Service(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, workers: int) -> None:
    while True:
        try:
            ready = httpx.get(f"{url}/readyz", timeout=5).status_code == 200
            text = httpx.get(f"{url}/metrics", timeout=5).text
        except httpx.HTTPError:
            ready, text = False, ""
        if ready and (workers < 2 or f'rulegrade_workers{{kind="pool"}} {workers}.0' in text):
            return
        time.sleep(0.2)


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(ANSWER)).encode()),
        (b"x-request-id", b"0" * 32),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        _answer,
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
