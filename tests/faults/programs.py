"""What breaks the places where programs run, and items that break whoever runs them."""

import random
import signal
import threading
import time
from uuid import uuid4

import httpx

from tests.faults.load import DEADLINE_S, Book, Expected, item, send
from tests.faults.poisoned import POISON
from tests.faults.stack import Stack

NEIGHBOURS = 23


def kill_a_container(stack: Stack, _: Book) -> None:
    stack.engine.kill_a_container()


def restart_the_engine(stack: Stack, _: Book) -> None:
    """Orderly, which stops its containers, or by force, which leaves them running."""
    stack.engine.end(random.choice((signal.SIGTERM, signal.SIGKILL)))
    time.sleep(random.uniform(0, 3))
    stack.engine.process = stack.engine.start()
    stack.wait_until_ready()
    stack.wait_until_swept()


def poison(stack: Stack, book: Book) -> None:
    """Send an item that ends each process that handles it, among others; the dead are replaced."""
    items = [item(is_right=True, programs=True) for _ in range(NEIGHBOURS)]
    expected: list[Expected] = [1.0] * NEIGHBOURS
    place = random.choice([i for i, one in enumerate(items) if "format" not in str(one)])
    items.insert(place, items[place] | {"id": uuid4().hex})
    items[place]["completion"] += POISON
    expected.insert(place, "poison")
    body = {"items": items, "deadline_ms": int(DEADLINE_S * 1000)}
    with httpx.Client(base_url=stack.url, timeout=DEADLINE_S) as client:
        sender = threading.Thread(target=send, args=(client, book, body, expected))
        sender.start()
        while sender.is_alive():
            stack.revive_workers()
            time.sleep(0.1)
