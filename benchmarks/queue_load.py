"""
Load for a service on this machine, as cheap as Python can make it: connections that are kept, and
requests spelt beforehand, so that the client leaves the cores to what is measured.

Closed loop: so many clients, each with one request under way. Open loop: requests leave at fixed
times whether or not earlier ones came back, and the clock of each starts when it should have left;
a closed loop stops asking while the service stalls, and so leaves the stall out of its percentiles.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import httptools

CLIENTS = 256
"""Requests under way at a time, where as many as possible are wanted."""

Json = dict[str, Any]


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer, which must be 200."""
        self._answer: asyncio.Future[bytes] = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 200:
            self._answer.set_result(self._body)
        else:
            self._answer.set_exception(RuntimeError(f"{status} {self._body[:500]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error or RuntimeError("the connection was closed"))


class Client:
    """Asks the service on `port`, over as many connections as it takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer."""
        connection = self._idle.pop() if self._idle else await self._connect()
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return connection


def items_of(kind: str, count: int) -> list[Json]:
    """Completions that are right, all different."""
    salt = uuid4().hex
    return [
        {"id": str(number), **_item(kind, f"{salt} {number}", number)} for number in range(count)
    ]


def _item(kind: str, unlike: str, number: int) -> Json:
    if kind == "format":
        completion = f"<think>{unlike}</think><answer>{number}</answer>"
        return {"completion": completion, "verifiers": [{"name": "format"}]}
    return {
        "completion": f"{unlike} \\boxed{{\\frac{{{number}}}{{7}}}}",
        "ground_truth": f"{number}/7",
        "verifiers": [{"name": "math"}],
    }


def spelt(items: list[Json]) -> bytes:
    """The request for a batch, with its head."""
    body = json.dumps({"items": items, "deadline_ms": 600_000}).encode()
    head = (
        "POST /v1/rewards HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _insist(answer: bytes, count: int) -> None:
    if json.loads(answer)["rewards"] != [1.0] * count:
        raise RuntimeError(answer[:500].decode())


async def one_batch(port: int, kind: str, count: int) -> float:
    """Items per second of one batch."""
    request = spelt(items_of(kind, count))
    began = time.perf_counter()
    _insist(await Client(port).ask(request), count)
    return count / (time.perf_counter() - began)


async def many_singles(port: int, kind: str, count: int) -> float:
    """Items per second of as many requests."""
    requests = [spelt([item]) for item in items_of(kind, count)]
    began = time.perf_counter()
    await closed_loop(port, requests, clients=CLIENTS)
    return count / (time.perf_counter() - began)


async def closed_loop(port: int, requests: Iterable[bytes], *, clients: int) -> list[float]:
    """The seconds that each request took."""
    client = Client(port)
    todo = iter(requests)
    latencies = []

    async def send_for_ever() -> None:
        for request in todo:
            began = time.perf_counter()
            _insist(await client.ask(request), 1)
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(send_for_ever() for _ in range(clients)))
    return latencies


async def open_loop(port: int, requests: list[bytes], *, per_s: float) -> list[float]:
    """The seconds from when each request should have left until its answer was there."""
    client = Client(port)
    latencies = []
    start = time.perf_counter()

    async def send(due: float, request: bytes) -> None:
        _insist(await client.ask(request), 1)
        latencies.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = start + number / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(due, request))
    return latencies
