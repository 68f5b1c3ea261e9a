"""
A mixed load with known rewards, and the book of what came back.

The senders do what a trainer's client does: a request that finds nobody, or is refused for the
moment, is sent again with the same `Idempotency-Key` until its deadline.
"""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

SENDERS = 4
ITEMS = 24
DEADLINE_S = 120.0
FOR_THE_MOMENT = {409, 429, 503}
MATH, FORMAT = [{"name": "math"}], [{"name": "format"}]
SUM = [{"input": "1 2\n", "output": "3\n"}, {"input": "40 2\n", "output": "42\n"}]
CODE = [{"name": "code", "params": {"tests": SUM}}]

Expected = float | str
"""The reward that an item must get, or the code of the error that it must end with."""

_serial = itertools.count()


@dataclass(slots=True)
class Book:
    """What was asked and what came back. Lists are appended to by several threads."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    """Items whose number is not the known one."""
    unscored: list[str] = field(default_factory=list)
    """Error codes of items without a reward."""
    lost: list[str] = field(default_factory=list)
    """Requests that had no answer by their deadline."""
    notes: list[str] = field(default_factory=list)
    """What else a fault has to tell."""
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def batch(*, programs: bool = False) -> tuple[dict[str, Any], list[Expected]]:
    """Items of several kinds, each new, with what must become of them."""
    items: list[dict[str, Any]] = []
    rewards: list[Expected] = []
    for _ in range(ITEMS):
        is_right = random.random() < 0.5
        items.append(item(is_right, programs=programs))
        rewards.append(float(is_right))
    return {"items": items, "deadline_ms": int(DEADLINE_S * 1000)}, rewards


def item(is_right: bool, *, programs: bool = False) -> dict[str, Any]:
    """A new item: mathematics, format or, with `programs`, code in one of six."""
    number = next(_serial)
    match number % 6:
        case 0 if programs:
            task: dict[str, Any] = {"verifiers": CODE}
            sum_of = "a + b" if is_right else "a - b"
            text = f"```python\na, b = map(int, input().split())\nprint({sum_of})  # {number}\n```"
        case 0 | 3:
            task = {"verifiers": FORMAT}
            text = f"<think>{number}, and so on.</think><answer>{number}</answer>"
            text = text if is_right else text.replace("</think>", "")
        case _:
            task = {"ground_truth": str(number), "verifiers": MATH}
            answer = number if is_right else number + 1
            text = f"<think>{number}</think> \\boxed{{\\frac{{{2 * answer}}}{{2}}}}"
    return {"id": str(number), "completion": text, **task}


@contextmanager
def load_on(url: str, *, programs: bool = False) -> Iterator[Book]:
    """Send batches to `url` while the block runs; all are answered when it ends."""
    book = Book()
    stop = threading.Event()

    def send_for_ever() -> None:
        with httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
            while not stop.is_set():
                send(client, book, *batch(programs=programs))

    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(send_for_ever) for _ in range(SENDERS)]
        try:
            yield book
        finally:
            stop.set()
        for sender in senders:
            sender.result()


def send(client: httpx.Client, book: Book, body: dict[str, Any], rewards: list[Expected]) -> None:
    """Ask until there is an answer or the deadline has passed, and enter what came."""
    headers = {"Idempotency-Key": uuid4().hex}
    began = time.monotonic()
    answer = None
    while answer is None and time.monotonic() - began < DEADLINE_S:
        try:
            response = client.post("/v1/rewards", json=body, headers=headers)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if response.status_code == 200:
            answer = response.json()
        elif response.status_code in FOR_THE_MOMENT:
            time.sleep(min(1.0, float(response.headers.get("Retry-After", "1"))))
        else:
            raise AssertionError(f"{response.status_code} {response.text[:500]}")
    with book.lock:
        book.slowest_s = max(book.slowest_s, time.monotonic() - began)
        enter(book, body, rewards, answer)


def enter(
    book: Book, body: dict[str, Any], rewards: list[Expected], answer: dict[str, Any] | None
) -> None:
    """Compare an answer with what must be in it; without one the request is lost."""
    if answer is None:
        book.lost.append(body["items"][0]["id"])
        return
    asked = [item["id"] for item in body["items"]]
    if [result["id"] for result in answer["results"]] != asked:
        book.wrong.append("ids of " + asked[0])
    for result, reward in zip(answer["results"], rewards, strict=True):
        book.answered += 1
        if result["reward"] is None:
            code = str((result["error"] or {}).get("code"))
            if code != reward:
                book.unscored.append(code)
        elif result["reward"] != reward:
            book.wrong.append(result["id"])
