"""A whole service of real processes, each of which may be killed: Redis, an API, workers."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import redis

from tests.faults.clock import Clock
from tests.faults.engine import IMAGE, PrivateEngine

T = TypeVar("T")
LEASE_S = 1.0
SLOTS = 1
"""Of each worker."""
MAX_REQUESTS = 1_000
"""Fewer than a crowd sends, so that some of it is refused."""
START_S = 300.0
Process = subprocess.Popen[bytes]


class Stack:
    """`redis`, `api` and `workers` are processes; whoever kills one starts it again."""

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 2,
        engine: PrivateEngine | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._engine, self._clock = engine, clock
        self._ports = [_free_port() for _ in range(2)]
        self.url = f"http://127.0.0.1:{self._ports[0]}"
        self.redis_url = f"redis://127.0.0.1:{self._ports[1]}/0"
        self.admin = redis.Redis.from_url(self.redis_url)
        self.redis = self.start_redis()
        self.workers = [self.start("worker") for _ in range(workers)]
        self.api = self.start("serve")
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def start_redis(self) -> Process:
        """Redis with an append-only file, on the same port and data as before."""
        program = shutil.which("redis-server") or "redis-server"
        process = subprocess.Popen(
            [
                *(program, "--port", str(self._ports[1]), "--bind", "127.0.0.1", "--save", ""),
                *("--dir", str(self._directory), "--appendonly", "yes"),
                *("--maxmemory-policy", "noeviction", "--logfile", "redis.log"),
            ],
        )
        _wait(self._pings, "redis")
        return process

    def start(self, verb: str) -> Process:
        """An API or a worker."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("RULEGRADE_")}
        settings = {
            "redis_url": self.redis_url,
            "port": self._ports[0],
            "probe_port": 0,
            "sandbox_backend": "docker" if self._engine else "off",
            "sandbox_image": IMAGE,
            "sandbox_slots": SLOTS,
            "pool_workers": 1,
            "lease_s": LEASE_S,
            "cache_mb": 0,
            "max_requests": MAX_REQUESTS,
        }
        env |= {f"RULEGRADE_{name.upper()}": str(value) for name, value in settings.items()}
        env |= {"DOCKER_HOST": self._engine.url} if self._engine else {}
        env |= self._clock.env if self._clock else {}
        log = (self._directory / f"{verb}.log").open("ab")
        with log:
            command = [sys.executable, "-m", "tests.faults.poisoned", verb]
            return subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def wait_until_ready(self) -> None:
        """Wait for an API that sees Redis and a worker."""
        _wait(self._is_ready, "the service")

    def kill_worker(self, number: int = signal.SIGKILL) -> None:
        """End one worker by a signal, and start another in its place."""
        place = random.randrange(len(self.workers))
        self.workers[place].send_signal(number)
        self.workers[place].wait(timeout=60)
        self.workers[place] = self.start("worker")

    def revive_workers(self) -> None:
        """Start another worker in the place of each that has died."""
        for place, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[place] = self.start("worker")

    @property
    def engine(self) -> PrivateEngine:
        """Where the containers are; only a stack with programs has one."""
        return _there(self._engine)

    @property
    def clock(self) -> Clock:
        """The API's and the workers'."""
        return _there(self._clock)

    @property
    def has_programs(self) -> bool:
        """Whether code can be scored."""
        return self._engine is not None

    @property
    def has_clock(self) -> bool:
        """Whether the clock of API and workers can jump."""
        return self._clock is not None

    def wait_until_swept(self) -> None:
        """Wait until there is a container for each slot, and none beside it."""
        slots = SLOTS * len(self.workers)
        _wait(lambda: len(self.engine.containers()) == slots, "the number of containers")

    def close(self) -> None:
        """End everything."""
        processes = [self.api, *self.workers, self.redis]
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.admin.close()

    def _pings(self) -> bool:
        try:
            return bool(self.admin.ping())
        except redis.ConnectionError:
            return False

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running_stack(directory: Path, **options: Any) -> Iterator[Stack]:
    """A stack that ends with the block."""
    stack = Stack(directory, **options)
    try:
        yield stack
    finally:
        stack.close()


def _wait(is_done: Any, what: str) -> None:
    deadline = time.monotonic() + START_S
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come up")
        time.sleep(0.1)


def _there(part: T | None) -> T:
    if part is None:
        raise LookupError("this stack was started without it")
    return part


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
