"""
A proxy before a live service that fails as it is told, and remembers what came by.

It stands for what lies between a trainer and the service: load balancers that answer 503, and
connections that break before or after the service has done its work.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

Fault = int | Literal["drop", "drop_answer"]
"""A status to answer with, or whether the connection breaks before or after the request went on."""


@dataclass(slots=True)
class Seen:
    """One request that came by."""

    path: str
    key: str | None
    body: bytes

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a batch."""
        items: list[dict[str, Any]] = json.loads(self.body)["items"]
        return items


@dataclass(slots=True)
class FlakyProxy:
    """`faults` are used up one a request, then everything passes."""

    url: str
    target: str
    faults: list[Fault] = field(default_factory=list)
    retry_after: str | None = None
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def flaky_proxy(target: str) -> Iterator[FlakyProxy]:
    """A proxy on a free port for as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = FlakyProxy(f"http://127.0.0.1:{server.server_port}", target)
    server.proxy = proxy  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        proxy: FlakyProxy = self.server.proxy  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy.seen.append(Seen(self.path, self.headers.get("Idempotency-Key"), body))
        fault = proxy.faults.pop(0) if proxy.faults else None
        if fault == "drop":
            self.close_connection = True
        elif isinstance(fault, int):
            after = {"Retry-After": proxy.retry_after} if proxy.retry_after else {}
            self._answer(fault, b"", after)
        else:
            answer = self._forward(proxy.target, body)
            if fault == "drop_answer":
                self.close_connection = True
            else:
                self._answer(answer.status_code, answer.content, {})

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _forward(self, target: str, body: bytes) -> httpx.Response:
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        return httpx.request(
            self.command, target + self.path, content=body, headers=kept, timeout=120
        )

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
