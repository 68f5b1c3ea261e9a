"""The faults: what is broken under load, how often, and how long until it is whole again."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.stack import Stack

OOM_S = 5.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` breaks something and mends it; `times` in the long form, `briefly` in tests."""

    name: str
    strike: Callable[[Stack], None]
    times: int
    briefly: int = 1
    pause_s: float = 1.0
    may_fail: frozenset[str] = frozenset()
    """Error codes that items may end with: a failure of ours, said as such."""


def kill_a_worker(stack: Stack) -> None:
    stack.kill_worker()


def stop_a_worker(stack: Stack) -> None:
    stack.kill_worker(signal.SIGTERM)


def kill_all_workers(stack: Stack) -> None:
    for worker in stack.workers:
        worker.kill()
    time.sleep(3)
    for place, worker in enumerate(stack.workers):
        worker.wait()
        stack.workers[place] = stack.start("worker")


def kill_the_api(stack: Stack) -> None:
    stack.api.kill()
    stack.api.wait()
    stack.api = stack.start("serve")
    stack.wait_until_ready()


def kill_redis(stack: Stack) -> None:
    stack.redis.kill()
    stack.redis.wait()
    time.sleep(random.uniform(0, 2))
    stack.redis = stack.start_redis()


def _pause_redis(seconds: float) -> Callable[[Stack], None]:
    def pause(stack: Stack) -> None:
        stack.redis.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        stack.redis.send_signal(signal.SIGCONT)

    return pause


def fill_redis(stack: Stack) -> None:
    used = int(stack.admin.info("memory")["used_memory"])
    stack.admin.config_set("maxmemory", used + 65_536)
    time.sleep(OOM_S)
    stack.admin.config_set("maxmemory", 0)


def forget_everything(stack: Stack) -> None:
    stack.admin.flushall()


def deliver_twice(stack: Stack) -> None:
    """Put a copy of every job that is queued beside it, and none of a copy."""
    for key in stack.admin.scan_iter("*queue:*"):
        jobs: Any = stack.admin.xrange(key)
        for _, fields in jobs:
            if b"copy" not in fields:
                stack.admin.xadd(key, fields | {b"copy": b"1"})


FAULTS = (
    Fault("worker killed", kill_a_worker, times=20, briefly=3, pause_s=3),
    Fault("worker told to stop", stop_a_worker, times=10, briefly=1),
    Fault("all workers killed, back after 3 s", kill_all_workers, times=5, pause_s=3),
    Fault("API killed", kill_the_api, times=20, pause_s=2),
    Fault("Redis killed, append-only file", kill_redis, times=10, briefly=2, pause_s=2),
    Fault("Redis paused for 5 s", _pause_redis(5), times=3),
    Fault("Redis paused for 30 s", _pause_redis(30), times=1, briefly=0),
    Fault("Redis out of memory for 5 s", fill_redis, times=3),
    Fault("Redis emptied", forget_everything, times=5),
    Fault("jobs delivered twice", deliver_twice, times=200, briefly=20, pause_s=0.05),
)
