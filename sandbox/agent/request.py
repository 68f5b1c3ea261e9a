"""
A request to a spawner: numbers and strings as `struct jail_request` of request.h has them.

No text format, because the spawner reads it in C: whatever Python ran there would touch pages that
the next run had to copy.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

MAX_BYTES = 1 << 17
MAX_FILES = 64

_TURN = struct.Struct("=2I")
_NUMBERS = struct.Struct("=6Q7I")
_MODES = struct.Struct(f"={MAX_FILES}I")


@dataclass(frozen=True, slots=True)
class Request:
    """What jail.c is to do; descriptors go beside it, in the order of `struct jail_request`."""

    cpu_s: int
    stack_bytes: int
    disk_bytes: int
    processes: int
    artifact_max_bytes: int
    output_max_bytes: int
    has_result: bool
    has_link: bool
    files: Sequence[tuple[str, int]]
    artifact: str | None
    outputs: Sequence[str]
    role: tuple[str, str] | None
    """What to do in the warm interpreter, with its argument; None: an exec of `argv`."""
    argv: Sequence[str]
    env: Sequence[str]


def encode(request: Request) -> bytes:
    """All but its beginning, see `in_turn`. Raises ValueError if no spawner takes as much."""
    argv, env = ((), ()) if request.role else (request.argv, request.env)
    names, modes = [name for name, _ in request.files], [mode for _, mode in request.files]
    strings = [*(request.role or ("", "")), request.artifact or ""]
    strings += [*names, *request.outputs, *argv, *env]
    text = "".join(f"{string.replace(chr(0), '?')}\0" for string in strings)
    message = b"".join(
        (
            _NUMBERS.pack(
                request.cpu_s,
                request.stack_bytes,
                request.disk_bytes,
                request.processes,
                request.artifact_max_bytes,
                request.output_max_bytes,
                request.has_result,
                request.has_link,
                request.artifact is not None,
                len(names),
                len(request.outputs),
                len(argv),
                len(env),
            ),
            _MODES.pack(*modes, *(0,) * (MAX_FILES - len(modes))),
            text.encode("utf-8", "surrogatepass"),
        )
    )
    if _TURN.size + len(message) > MAX_BYTES:
        raise ValueError(f"a request of {len(message)} bytes")
    return message


def in_turn(body: bytes, *, is_next: bool, has_next: bool) -> bytes:
    """As one message: whether it is for the jail of the run before, and another one follows it."""
    return _TURN.pack(is_next, has_next) + body
