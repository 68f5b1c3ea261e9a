"""
Messages between the two sides of a test: JSON, with its length in four bytes before it.

The judge's side reads what hostile code wrote. So nothing that arrives is evaluated or unpickled,
sizes are limited before anything is kept, and the first thing that is out of order ends the talk.
"""

import json
import os
import struct
from typing import Any

LINK_FD = 4
MAX_MESSAGE = 16 << 20
"""Bytes of one message: as much as the result of a called function may have."""

_PREFIX = struct.Struct(">I")
_CHUNK = 1 << 18

_read, _write = os.read, os.write  # a submission may put others in their place


class LinkBroken(BaseException):
    """The other side has gone, or says what makes no sense. No `except Exception` may catch it."""


class Link:
    """One end of the socket. Once broken it stays so."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.is_broken = False
        self.last_size = 0
        """Bytes of the message that was received last."""

    def send(self, message: list[Any]) -> None:
        """Send one message. ValueError if it is too large or nested too deeply to be one."""
        try:
            text = json.dumps(message, separators=(",", ":")).encode()
        except RecursionError:
            raise ValueError("a value is nested too deeply to be sent") from None
        if len(text) > MAX_MESSAGE:
            raise ValueError(f"a value of {len(text)} bytes is too large to be sent")
        data = memoryview(_PREFIX.pack(len(text)) + text)
        try:
            while data:
                data = data[_write(LINK_FD, data) :]
        except OSError:
            raise self.broken("the program has ended") from None

    def receive(self) -> list[Any]:
        """The next message, a list."""
        (length,) = _PREFIX.unpack(self._take(_PREFIX.size))
        if length > MAX_MESSAGE:
            raise self.broken(f"a message of {length} bytes")
        self.last_size = length
        try:
            message = json.loads(self._take(length))
        except (ValueError, RecursionError):
            raise self.broken("a message that is no JSON") from None
        if type(message) is not list or not message:
            raise self.broken("a message of no known form")
        return message

    def broken(self, why: str) -> LinkBroken:
        """The error to raise; from here on there is no talking to the other side."""
        self.is_broken = True
        return LinkBroken(why)

    def _take(self, size: int) -> bytes:
        if self.is_broken:
            raise LinkBroken("the program has ended")
        while len(self._buffer) < size:
            try:
                chunk = _read(LINK_FD, _CHUNK)
            except OSError:
                chunk = b""
            if not chunk:
                raise self.broken("the program has ended")
            self._buffer += chunk
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
