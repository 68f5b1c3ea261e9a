"""What breaks processes and Redis."""

import random
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.faults.load import Book
from tests.faults.stack import Stack

OOM_S = 5.0


def kill_a_worker(stack: Stack, _: Book) -> None:
    stack.kill_worker()


def stop_a_worker(stack: Stack, _: Book) -> None:
    stack.kill_worker(signal.SIGTERM)


def kill_all_workers(stack: Stack, _: Book) -> None:
    for worker in stack.workers:
        worker.kill()
    time.sleep(3)
    for place, worker in enumerate(stack.workers):
        worker.wait()
        stack.workers[place] = stack.start("worker")


def kill_the_api(stack: Stack, _: Book) -> None:
    stack.api.kill()
    stack.api.wait()
    stack.api = stack.start("serve")
    stack.wait_until_ready()


def kill_redis(stack: Stack, _: Book) -> None:
    stack.redis.kill()
    stack.redis.wait()
    time.sleep(random.uniform(0, 2))
    stack.redis = stack.start_redis()


def pause_redis(seconds: float) -> Callable[[Stack, Book], None]:
    """Let it stand still for so long."""

    def pause(stack: Stack, _: Book) -> None:
        stack.redis.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        stack.redis.send_signal(signal.SIGCONT)

    return pause


def fill_redis(stack: Stack, _: Book) -> None:
    used = int(stack.admin.info("memory")["used_memory"])
    stack.admin.config_set("maxmemory", used + 65_536)
    time.sleep(OOM_S)
    stack.admin.config_set("maxmemory", 0)


def forget_everything(stack: Stack, _: Book) -> None:
    stack.admin.flushall()


def deliver_twice(stack: Stack, _: Book) -> None:
    """Put a copy of every job that is queued beside it, and none of a copy."""
    for key in stack.admin.scan_iter("*queue:*"):
        jobs: Any = stack.admin.xrange(key)
        for _, fields in jobs:
            if b"copy" not in fields:
                stack.admin.xadd(key, fields | {b"copy": b"1"})
