"""Thousands of clients at once, each with one small request after the other, for a while."""

import asyncio
import json
import random
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.faults.load import Book, Expected, enter, item
from tests.faults.stack import Stack

ITEMS = 4
DEADLINE_S = 30.0
CONNECT_S = 60.0
OPENING = 500
"""Connections being opened at a time."""


class Crowd:
    """`clients` connections that ask without a pause for `seconds`; see `book` for what came."""

    def __init__(self, url: str, clients: int, seconds: float, book: Book) -> None:
        place = urlsplit(url)
        self._host, self._port = str(place.hostname), int(place.port or 80)
        self._clients, self._seconds, self._book = clients, seconds, book
        self.statuses: Counter[str] = Counter()
        self.slowest_s: dict[str, float] = {}
        self._opening = asyncio.Semaphore(OPENING)

    async def run(self) -> None:
        """Come, ask, and go."""
        self._until = time.monotonic() + self._seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._ask_for_ever())

    async def _ask_for_ever(self) -> None:
        while time.monotonic() < self._until:
            try:
                async with self._opening, asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_connection(self._host, self._port)
            except (OSError, TimeoutError) as error:
                self._broken(f"connect: {type(error).__name__}")
                continue
            try:
                while time.monotonic() < self._until and not writer.is_closing():
                    pause_s = await self._ask(reader, writer)
                    await asyncio.sleep(pause_s)
            except (OSError, EOFError) as error:
                self._broken(type(error).__name__)
            finally:
                writer.close()

    def _broken(self, what: str) -> None:
        self.statuses[what] += 1
        self._book.lost.append(what)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        """Seconds to wait before the next request."""
        rights = [random.random() < 0.5 for _ in range(ITEMS)]
        body = {"items": [item(r) for r in rights], "deadline_ms": int(DEADLINE_S * 1000)}
        text = json.dumps(body).encode()
        head = f"POST /v1/rewards HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(text)}\r\n"
        began = time.monotonic()
        writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + text)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        took_s = time.monotonic() - began
        if headers.get("connection") == "close":
            writer.close()
        return self._note(lines[0].split()[1], headers, body, rights, answer, took_s)

    def _note(
        self,
        status: str,
        headers: dict[str, str],
        body: dict[str, Any],
        rights: list[bool],
        answer: bytes,
        took_s: float,
    ) -> float:
        self.statuses[status] += 1
        self.slowest_s[status] = max(took_s, self.slowest_s.get(status, 0.0))
        if status == "200":
            rewards: list[Expected] = [float(right) for right in rights]
            enter(self._book, body, rewards, json.loads(answer))
        elif status not in ("429", "503") or "retry-after" not in headers:
            self._book.wrong.append(f"{status} {answer[:200]!r}")
        return 0.0 if status == "200" else float(headers.get("retry-after", 1))


def crowd(clients: int, seconds: float) -> Any:
    """So many at once for so long, as a fault."""

    def come(stack: Stack, book: Book) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, clients + 1_000), hard))
        before = _memory_mb(stack.api.pid)

        async def run() -> Crowd:
            everybody = Crowd(stack.url, clients, seconds, book)
            await everybody.run()
            return everybody

        found = asyncio.run(run())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        slowest = {status: f"{took_s:.1f} s" for status, took_s in sorted(found.slowest_s.items())}
        book.notes.append(f"{clients} clients: {dict(found.statuses)}, slowest {slowest}")
        book.notes.append(f"memory of the API: {before} MB, at most {_memory_mb(stack.api.pid)} MB")

    return come


def _memory_mb(pid: int) -> int:
    """The most it ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024
