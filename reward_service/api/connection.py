"""
One client connection: HTTP/1.1 by h11, with a time limit on everything the client does.

uvicorn limits only how long an idle connection is kept. A client that never finishes its headers,
or never reads its answer, would hold a connection and its memory for ever.
"""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from reward_service.schemas import ErrorResponse


class Connection(H11Protocol):
    """Closes when headers, or the reading of a full buffer, take longer than `timeout_s`.

    The body has a limit of its own, see `body.py`. Subclassed to set `timeout_s`.
    """

    timeout_s: ClassVar[float]
    _headers_due: asyncio.TimerHandle | None = None
    _reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._headers_due = self._abort_later()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a request has its headers; start it when the next one begins."""
        super().data_received(data)
        is_served = self.cycle is not None and not self.cycle.response_complete
        if is_served and self._headers_due:
            self._headers_due.cancel()
            self._headers_due = None
        elif not is_served and self._headers_due is None:
            self._headers_due = self._abort_later()

    def on_response_complete(self) -> None:
        """Start the clock if part of the next request came with this one."""
        super().on_response_complete()
        has_begun, _ = self.conn.trailing_data
        if has_begun and self.cycle.response_complete and self._headers_due is None:
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

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP in the shape of every other refusal."""
        body = ErrorResponse(code="invalid_http", message=msg).model_dump_json().encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _abort_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.timeout_s, self.transport.abort)


def connection_class(timeout_s: float) -> type[Connection]:
    """The protocol class for uvicorn, which takes a class and no arguments."""
    return type("Connection", (Connection,), {"timeout_s": timeout_s})
