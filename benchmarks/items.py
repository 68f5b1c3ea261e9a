"""
What an item costs beside its program: memory of Redis, bytes through it, and CPU of every part.

What a rollout sends, in groups of 16 and requests of 128: completions of 8 KB. First answers to
mathematical problems, then a reasoning and a Python program of its own each, with 20 tests a task
of 11 KB each. An API process, a worker and a Redis of their own; what they use is read from Redis
(`INFO`), from /proc, and from the engine for the sandbox's containers. These are the figures that
docs/scaling.md and `bench capacity` start from.
"""

import argparse
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import docker
import httpx
from redis import Redis

from benchmarks.queue_services import cpu_of_all_s, cpu_s, free_port, private_redis
from sandbox.images.build import image_tag

GROUP = 16
REQUEST = 128
SAMPLE_S = 0.5  # of the memory; more often, and the answers would show in the bytes out
IDLE_S = 0.05  # of CPU between two samples
TESTS = 20
NUMBERS = 2_000
"""In the input of a test: 11 KB, and a few ms of work for the program."""
REASONING = 7_800
DEADLINE_MS = 600_000
PROGRAM = """\
n = int(input())
best = here = None
for word in input().split():
    here = int(word) + max(here or 0, 0)
    best = here if best is None else max(best, here)
print(best)
"""
COLUMNS = ("API", "worker", "sandbox", "Redis", "KB in", "KB out", "KB peak", "KB texts", "KB kept")
"""CPU by part in ms, then Redis: its network, its memory at most, and what of it stays longer."""

Json = dict[str, Any]


def code_batch(count: int, random_: random.Random) -> Json:
    """Items whose programs are right, and no two alike."""
    tasks = {}
    for number in range((count + GROUP - 1) // GROUP):
        params = {"language": "python", "tests": [_test(random_) for _ in range(TESTS)]}
        tasks[f"task-{number}"] = {"verifiers": [{"name": "code", "params": params}]}
    items = [
        {
            "id": str(number),
            "task_id": f"task-{number // GROUP}",
            "completion": f"{_reasoning(random_)}\n```python\n# {uuid4().hex}\n{PROGRAM}```\n",
        }
        for number in range(count)
    ]
    return {"tasks": tasks, "items": items}


def math_batch(count: int, random_: random.Random) -> Json:
    """Items whose answers are right."""
    items = [
        {
            "id": str(number),
            "completion": f"{_reasoning(random_)}\n\\boxed{{\\frac{{{number // GROUP}}}{{7}}}}",
            "ground_truth": f"{number // GROUP}/7",
            "verifiers": [{"name": "math"}],
        }
        for number in range(count)
    ]
    return {"items": items}


def _reasoning(random_: random.Random) -> str:
    words = ("so", "the", "sum", "of", "these", "numbers", "is", "at", "least", "as", "large")
    text = ""
    while len(text) < REASONING:
        text += f"{random_.choice(words)} {random_.randint(0, 999)} "
    return f"<think>{text}</think>"


def _test(random_: random.Random) -> dict[str, str]:
    numbers = [random_.randint(-9_999, 9_999) for _ in range(NUMBERS)]
    best = here = numbers[0]
    for number in numbers[1:]:
        here = max(number, here + number)
        best = max(best, here)
    return {"input": f"{NUMBERS}\n{' '.join(map(str, numbers))}\n", "output": f"{best}\n"}


@dataclass(slots=True)
class Watch:
    """What the parts have used; `peak` is of Redis's memory, in bytes."""

    redis: Redis
    api: int
    worker: int
    image: str
    peak: int = 0
    _containers: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow memory and containers while the block runs."""
        thread = threading.Thread(target=self._follow)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.peak = max(self.peak, self.memory())

    def memory(self) -> int:
        """Bytes of Redis's memory that hold data."""
        info: Json = self.redis.info("memory")
        return int(info["used_memory_dataset"])

    def kept(self, kind: str) -> int:
        """Bytes of memory of the keys of one kind, which docs/operations.md lists."""
        keys = self.redis.scan_iter(f"rulegrade:*:{kind}:*", count=1_000)
        return sum(self.redis.memory_usage(key, samples=0) or 0 for key in keys)

    def used(self) -> dict[str, float]:
        """CPU in ms by part, and bytes by direction, up to now."""
        info: Json = self.redis.info("everything")
        redis_s = info["used_cpu_sys"] + info["used_cpu_user"]
        return {
            "API": cpu_s(self.api) * 1000,
            "worker": cpu_of_all_s(self.worker) * 1000,
            "sandbox": self._sandbox_ms(),
            "Redis": redis_s * 1000,
            "KB in": info["total_net_input_bytes"] / 1000,
            "KB out": info["total_net_output_bytes"] / 1000,
        }

    def _sandbox_ms(self) -> float:
        engine = docker.from_env()
        for container in engine.containers.list(filters={"ancestor": self.image}):
            if container.attrs["Config"]["Image"] == self.image:
                stats: Any = container.stats(stream=False)
                self._containers[str(container.id)] = stats["cpu_stats"]["cpu_usage"]["total_usage"]
        engine.close()
        return sum(self._containers.values()) / 1e6


@contextmanager
def service(redis_url: str, serves: str, image: str) -> Iterator[tuple[str, int, int]]:
    """An API and a worker; yields the URL and both process ids once they are ready."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RULEGRADE_")}
    env |= {"RULEGRADE_REDIS_URL": redis_url, "RULEGRADE_LOG_LEVEL": "warning"}
    env |= {"RULEGRADE_SANDBOX_BACKEND": "docker", "RULEGRADE_SANDBOX_IMAGE": image}
    env["RULEGRADE_SERVES"] = serves
    port = free_port()
    part = "sandbox" if serves == "programs" else "pool"
    with ExitStack() as running:
        pids = []
        for verb in (["worker", "--probe-port", "0"], ["serve", "--port", str(port)]):
            command = [sys.executable, "-m", "reward_service", *verb]
            process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.terminate)
            pids.append(process.pid)
        url = f"http://127.0.0.1:{port}"
        while _state(url, part) != "ok":
            time.sleep(0.2)
        before, used = 0.0, cpu_of_all_s(pids[0])
        while used - before > IDLE_S:  # processes of its pool are still on their way
            time.sleep(SAMPLE_S)
            before, used = used, cpu_of_all_s(pids[0])
        yield url, pids[1], pids[0]


def _state(url: str, part: str) -> str:
    try:
        return str(httpx.get(f"{url}/readyz", timeout=5).json()["parts"][part])
    except httpx.HTTPError:
        return "down"


def parts(batch: Json) -> Iterator[Json]:
    """The batch by requests of a size that a busy machine answers before their deadline."""
    for first in range(0, len(batch["items"]), REQUEST):
        items = batch["items"][first : first + REQUEST]
        used = {item.get("task_id") for item in items}
        tasks = {name: task for name, task in batch.get("tasks", {}).items() if name in used}
        yield {"deadline_ms": DEADLINE_MS, "tasks": tasks, "items": items}


def send(url: str, request: Json) -> list[float | None]:
    """The rewards."""
    answer = httpx.post(f"{url}/v1/rewards", json=request, timeout=DEADLINE_MS / 1000)
    found: list[float | None] = answer.json()["rewards"]
    return found


def measure(name: str, batch: Json, serves: str, image: str) -> None:
    """Send the batch, and print what each of its items cost."""
    count = len(batch["items"])
    with (
        private_redis() as redis_url,
        service(redis_url, serves, image) as (url, api, worker),
        Redis.from_url(redis_url) as redis,
    ):
        watch = Watch(redis, api, worker, image)
        empty, before = watch.memory(), watch.used()
        began = time.perf_counter()
        with watch.watching():
            rewards = [reward for part in parts(batch) for reward in send(url, part)]
            took_s = time.perf_counter() - began
        if rewards != [1.0] * count:
            raise SystemExit(f"not all were right: {rewards.count(1.0)} of {count}")
        after = watch.used()
        spent = [(after[part] - before[part]) / count for part in after]
        memory = [watch.peak - empty, watch.kept("text"), watch.kept("store")]
        columns = [*spent, *(size / 1000 / count for size in memory)]
        print(f"{name:12}{count:7}{took_s:7.1f}" + "".join(f"{value:9.2f}" for value in columns))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what an item costs.")
    parser.add_argument("--items", type=int, default=1_024)
    count = parser.parse_args().items
    random_ = random.Random(1)  # noqa: S311 - the same items every time
    print(f"{os.cpu_count()} cores; all figures but the first two are for one item")
    print(f"{'items of':12}{'count':>7}{'s':>7}" + "".join(f"{name:>9}" for name in COLUMNS))
    engine = docker.from_env()
    image = f"rulegrade/bench-{uuid4().hex[:8]}:latest"  # by which its containers are told
    engine.images.get(image_tag()).tag(image)
    try:
        measure("mathematics", math_batch(count, random_), "rules", image)
        measure("programs", code_batch(count, random_), "programs", image)
    finally:
        engine.images.remove(image)
        engine.close()


if __name__ == "__main__":
    main()
