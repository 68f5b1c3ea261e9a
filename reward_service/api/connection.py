"""
One client connection: HTTP/1.1 by llhttp, with a limit on everything the client does.

uvicorn limits only how long an idle connection is kept. A client that never finishes its headers,
or never reads its answer, would hold a connection and its memory for ever; and the parser keeps
what it has of a header until it has all of it.
"""

import asyncio
import re
import time
from http import HTTPStatus
from typing import ClassVar
from uuid import uuid4

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reward_service.api.refusals import Refusal

MAX_HEAD_BYTES = 16_384
"""Of a request's head, or of what stands between two pieces of a body, that arrives in pieces."""

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]\r\n")
_NO_HTTP = Refusal(400, "invalid_http", "Invalid HTTP request received.")
_NO_METHOD = Refusal(
    405,
    "method_not_allowed",
    "No path has this method; see the Allow header.",
    headers={"Allow": "DELETE, GET, POST, PUT"},
)


class Connection(HttpToolsProtocol):
    """Closes when headers, or the reading of a full buffer, take longer than `timeout_s`.

    The body has a limit of its own, see `body.py`. Subclassed to set `timeout_s`.
    """

    timeout_s: ClassVar[float]
    _headers_due: asyncio.TimerHandle | None = None
    _reading_due: asyncio.TimerHandle | None = None
    _is_in_head = False
    _is_told = False
    """The parser reads a head again that we know."""
    _unused = 0
    """Bytes that came since the parser last had something to tell."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._headers_due = self._abort_later()

    def data_received(self, data: bytes) -> None:
        """Parse; start the clock when the next request begins."""
        self._unset_keepalive_if_required()
        while data and not self.transport.is_closing():
            data = self._feed(data)
        is_served = self.cycle is not None and not self.cycle.response_complete
        if not is_served and self._headers_due is None:
            self._headers_due = self._abort_later()

    def _feed(self, data: bytes) -> bytes:
        """Have `data` parsed; what is left of it."""
        self._unused += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on()
            return data[upgrade.args[0] :]
        except httptools.HttpParserInvalidMethodError:
            self._refuse(_NO_METHOD if _REQUEST_LINE.match(data) else _NO_HTTP)
        except httptools.HttpParserError:
            self._refuse(_NO_HTTP)
        else:
            if self._unused > MAX_HEAD_BYTES:
                self._refuse(_NO_HTTP)
        return b""

    def _go_on(self) -> None:
        """Read the body of a request that offered an upgrade, which we do not take.

        The parser believes that something else than HTTP follows. So another one gets what the head
        said of the body.
        """
        framing = (b"content-length", b"transfer-encoding")
        head = [name + b": " + value for name, value in self.headers if name in framing]
        self.parser = httptools.HttpRequestParser(self)
        self._is_told = True
        self.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *head, b"", b""]))

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._is_told:
            super().on_message_begin()
            self._is_in_head = True

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if self._is_in_head:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what stands behind a chunked body is none."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock of the head. That of the deadline runs from here: the request may have to
        wait for its turn on the event loop."""
        if self._is_told:
            self._is_told = False
            return
        self._is_in_head = False
        self._unused = 0
        if self._headers_due:
            self._headers_due.cancel()
            self._headers_due = None
        self.scope["state"]["received"] = time.monotonic()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has arrived."""
        self._unused = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the clock if part of the next request came with this one."""
        super().on_response_complete()
        if self._is_in_head and self.cycle.response_complete and self._headers_due is None:
            self._headers_due = self._abort_later()

    def pause_writing(self) -> None:
        """The client is behind with reading: start its clock."""
        super().pause_writing()
        self._reading_due = self._abort_later()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._reading_due:
            self._reading_due.cancel()
            self._reading_due = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        super().connection_lost(exc)
        for due in (self._headers_due, self._reading_due):
            if due:
                due.cancel()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot be parsed in the shape of every other refusal, and close."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            request_id = uuid4().hex
            response = refusal.response(request_id)
            headers = [*response.raw_headers, (b"x-request-id", request_id.encode())]
            status = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()
            head = [status, b"connection: close"]
            head += [name + b": " + value for name, value in headers]
            self.transport.write(b"\r\n".join([*head, b"", bytes(response.body)]))
        self.transport.close()

    def _abort_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.timeout_s, self.transport.abort)


def connection_class(timeout_s: float) -> type[Connection]:
    """The protocol class for uvicorn, which takes a class and no arguments."""
    return type("Connection", (Connection,), {"timeout_s": timeout_s})
