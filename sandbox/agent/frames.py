"""
The wire between the service and an agent: one JSON header with any number of blobs behind it.

    4 bytes: length of the header, big-endian | header, with the blobs' sizes in "blobs" | blobs

Programs, inputs and outputs are bytes that are no text, and megabytes of them: they go as blobs,
past the JSON parser.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any

PREFIX = struct.Struct(">I")
MAX_HEADER = 1 << 20
MAX_BLOBS = 1 << 30

STARVED = 5
LONGEST_S = 180.0

Header = dict[str, Any]


class BadFrame(Exception):
    """The other end sent something that is no frame."""


def longest_wall_s(wall_s: float) -> float:
    """How long a run with this limit may take that has work to do and no CPU to do it on.

    The agent goes on watching it, and the service waiting for the answer.
    """
    return max(wall_s, min(STARVED * wall_s, LONGEST_S))


def encode(header: Header, blobs: Sequence[bytes | bytearray] = ()) -> bytes:
    """One frame, ready to be written."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    return b"".join((PREFIX.pack(len(text)), text, *blobs))


def header_length(prefix: bytes) -> int:
    """Length of the header that follows; BadFrame if no honest header is as long."""
    (length,) = PREFIX.unpack(prefix)
    if length > MAX_HEADER:
        raise BadFrame(f"a header of {length} bytes")
    return int(length)


def decode_header(text: bytes) -> tuple[Header, list[int]]:
    """The header, and the sizes of the blobs that follow it."""
    try:
        header = json.loads(text.decode())
        sizes = header.pop("blobs")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise BadFrame(f"a header that cannot be read: {type(error).__name__}") from error
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise BadFrame("blob sizes that are no sizes")
    if sum(sizes) > MAX_BLOBS:
        raise BadFrame(f"{sum(sizes)} bytes of blobs")
    return header, sizes
