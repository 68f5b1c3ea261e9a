"""
One run in its jail: the descriptors it was given, what it wrote to them, and how it ended.

Whoever watches it decides when to kill it; see `execution`.
"""

import contextlib
import math
import os
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.agent import request

PIPE_BYTES = 65_536
STDIN_PIPE_BYTES = 4096
"""What the smallest pipe holds: a program that hoards pipes makes them small for all its user's."""

MAX_ARTIFACT_BYTES = 64 << 20
"""Of what a run leaves: its artifact, or all its output files together."""

_OUTPUT_SIZE = struct.Struct("=q")
_TOO_LARGE = -2

MAX_RESULT_BYTES = 16 << 20


_CONTENTS = ("stdout", "stderr", "result", "files")


class JailError(Exception):
    """The jail could not be built or ended; the run says nothing about the program."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the work directory; its content is in a descriptor."""

    name: str
    mode: int
    fd: int


@dataclass(frozen=True, slots=True)
class Link:
    """A run's end of what joins a pair: a socket at descriptor 4, or pipes as 0 and 1."""

    socket: int | None = None
    stdin: int | None = None
    stdout: int | None = None

    def close(self) -> None:
        """Close this process's copies."""
        for fd in (self.socket, self.stdin, self.stdout):
            if fd is not None:
                os.close(fd)


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, on what, and within which limits."""

    argv: list[str]
    env: list[str]
    files: list[File]
    stdin: bytes
    limits: dict[str, Any]
    artifact: str | None = None
    outputs: list[str] = field(default_factory=list)
    """Names of files to bring back from the work directory, if they are there at the end."""
    role: dict[str, Any] | None = None
    """What to do in the warm interpreter, see `zygote.become`; None: an exec of `argv`."""
    has_result: bool = False
    """Whether it is given a descriptor 3, to hand out plain data."""
    link: Link = Link()


@dataclass(slots=True)
class Facts:
    """What was seen of a run."""

    killed_for: str | None = None
    """wall, cpu, memory, output, deadline, stop or partner; None if it ended by itself."""
    wait_status: int | None = None
    setup_error: str | None = None
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    memory_kb: int = 0
    oom_kills: int = 0
    waited_for_cpu_ms: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    result: bytearray = field(default_factory=bytearray)
    most_processes: int = 0
    """Most processes and threads seen at a time."""
    is_survived: bool = False
    """Whether other processes of the run were still at work when its first one had ended."""
    has_oversized_file: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    """The output files that were there."""

    def size(self) -> int:
        """Bytes that it left."""
        said = len(self.stdout) + len(self.stderr) + len(self.result)
        return said + sum(map(len, self.files.values()))

    def header(self) -> dict[str, Any]:
        """All of it but contents, of files their names."""
        names = (name for name in self.__slots__ if name not in _CONTENTS)
        return {name: getattr(self, name) for name in names} | {"files": list(self.files)}


def sealed(content: bytes, name: str) -> int:
    """A descriptor of an anonymous file with this content."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class JailedRun:
    """Starts when it is made, and has ended when `is_gone`."""

    def __init__(self, order: Order, spawner: socket.socket) -> None:
        self.facts = Facts()
        self.artifact_fd = os.memfd_create("left") if order.artifact or order.outputs else None
        """What init copies to: its artifact, or its output files; see copy_outputs in jail.c."""
        self.is_gone = False
        self._finished: set[int] = set()
        self._words = b""
        self._output_names = order.outputs
        self._start(order, spawner)

    def _start(self, order: Order, spawner: socket.socket) -> None:
        link, output_bytes = order.link, order.limits["output_kb"] * 1024
        self._outputs: dict[int, tuple[bytearray, int]] = {}
        stdin = _input(order.stdin) if link.stdin is None else os.dup(link.stdin)
        if link.stdout is None:
            stdout = self._pipe(self.facts.stdout, output_bytes)
        else:
            stdout = os.dup(link.stdout)
        stderr = self._pipe(self.facts.stderr, output_bytes)
        self._status, status = os.pipe()
        given = [stdin, stdout, stderr, status]
        if order.has_result:
            given.append(self._pipe(self.facts.result, MAX_RESULT_BYTES))
        # Places that a run has no use for are filled with any descriptor.
        fds = [*given[:4], stdin if self.artifact_fd is None else self.artifact_fd, given[-1]]
        fds += [] if link.socket is None else [link.socket]
        try:
            contents = [file.fd for file in order.files]
            with contextlib.suppress(BrokenPipeError):  # its last words are still to be read
                socket.send_fds(spawner, [_request(order)], [*fds, *contents])
            self.started = time.monotonic()
            message, received, _, _ = socket.recv_fds(spawner, 4096, 1)
        finally:
            for fd in given:
                os.close(fd)
        if not received:
            raise JailError(message.decode(errors="replace") or "the spawner is gone")
        self._pidfd = received[0]

    def _pipe(self, kept: bytearray, maximum: int) -> int:
        """The end to write of a pipe, of which `maximum` bytes are kept."""
        read, write = os.pipe()
        self._outputs[read] = (kept, maximum)
        return write

    @property
    def has_ended(self) -> bool:
        """Whether its first process has; what it left behind may take a moment longer."""
        return bool(self._words)

    @property
    def has_ended_well(self) -> bool:
        """Whether its first process has, with exit status 0."""
        return self._words.startswith(b"end 0 ")

    @property
    def init_pid(self) -> int:
        """Process id of its jail's init; 0 once that has gone."""
        with open(f"/proc/self/fdinfo/{self._pidfd}", encoding="ascii") as info:
            words = info.read().split()
        return max(0, int(words[words.index("Pid:") + 1]))

    def fds(self) -> list[int]:
        """What to poll for input, and give to `take`."""
        return [*self._outputs, self._status, self._pidfd]

    def take(self, fd: int) -> bool:
        """Take in what one of `fds` has for us; False if it will have nothing any more."""
        if fd == self._pidfd:
            self.is_gone = True
            return False
        chunk = os.read(fd, PIPE_BYTES)
        if not chunk:
            self._finished.add(fd)
        elif fd == self._status:
            self._words += chunk
            if not self.facts.wall_ms:
                self.facts.wall_ms = self.elapsed_s() * 1e3
        else:
            self._keep(fd, chunk)
        return bool(chunk)

    def elapsed_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started

    def _keep(self, fd: int, chunk: bytes) -> None:
        kept, maximum = self._outputs[fd]
        room = maximum - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            self.kill("output")

    def kill(self, reason: str) -> None:
        """Have the kernel kill all its processes; the first reason given is the one that counts."""
        if self.facts.killed_for is None:
            self.facts.killed_for = reason
            self.facts.wall_ms = self.elapsed_s() * 1e3
            with contextlib.suppress(ProcessLookupError):  # it ended by itself a moment ago
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]

    def settle(self) -> None:
        """Once it is gone: take in the rest, and what init said.

        Which is `setup STEP ERRNO`, or `end` with four numbers (see jail.c).
        """
        # A process in another jail of the past may hold a pipe open.
        for fd in self._outputs.keys() - self._finished:
            os.set_blocking(fd, False)
            while chunk := _read_now(fd):
                self._keep(fd, chunk)
        status = self._words
        if self._status not in self._finished:
            os.set_blocking(self._status, False)
            status += _read_now(self._status)
        facts = self.facts
        words = status.decode("ascii", "replace").split("\n", 1)[0].split()
        if words[:1] == ["setup"]:
            facts.setup_error = f"{words[1]}: {os.strerror(int(words[2]))}"
        elif words[:1] == ["end"]:
            facts.wait_status = int(words[1])
            facts.cpu_ms = max(facts.cpu_ms, int(words[2]) / 1e3)
            facts.memory_kb = max(facts.memory_kb, int(words[3]))
            facts.is_survived = words[4] == "1"
            self._take_outputs()
        elif facts.killed_for is None and not facts.oom_kills:
            raise JailError("the jail's first process ended without a word")
        for fd in self.fds():
            os.close(fd)

    def left(self) -> int:
        """A descriptor of the artifact that it was to leave; the caller's to close."""
        if self.artifact_fd is None:
            raise JailError("the run was to leave nothing")
        return self.artifact_fd

    def close(self) -> None:
        """Give up what it left."""
        if self.artifact_fd is not None:
            os.close(self.artifact_fd)

    def _take_outputs(self) -> None:
        if self.artifact_fd is None or not self._output_names:
            return
        with open(os.dup(self.artifact_fd), "rb") as left:
            left.seek(0)
            for name in self._output_names:
                (size,) = _OUTPUT_SIZE.unpack(left.read(_OUTPUT_SIZE.size))
                if size >= 0:
                    self.facts.files[name] = left.read(size)
                self.facts.has_oversized_file |= size == _TOO_LARGE


def _input(content: bytes) -> int:
    if len(content) > STDIN_PIPE_BYTES:
        return sealed(content, "stdin")
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read


def _request(order: Order) -> bytes:
    limits = order.limits
    return request.encode(
        request.Request(
            # A backstop: the kernel counts each process alone and in whole seconds.
            cpu_s=math.ceil(limits["cpu_s"]) + 1,
            stack_bytes=limits["memory_mb"] << 20,
            disk_bytes=_disk_bytes(order),
            processes=limits["processes"],
            artifact_max_bytes=MAX_ARTIFACT_BYTES,
            output_max_bytes=limits["output_kb"] * 1024,
            has_result=order.has_result,
            has_link=order.link.socket is not None,
            files=[(file.name, file.mode) for file in order.files],
            artifact=order.artifact,
            outputs=order.outputs,
            role=(order.role["name"], order.role["argument"]) if order.role else None,
            argv=order.argv,
            env=order.env,
        )
    )


def _disk_bytes(order: Order) -> int:
    """The limit counts what the program writes: the files it is given have room beside it."""
    given = sum(os.fstat(file.fd).st_size for file in order.files)
    return int((order.limits["disk_mb"] << 20) + given)


def _read_now(fd: int) -> bytes:
    try:
        return os.read(fd, PIPE_BYTES)
    except BlockingIOError:
        return b""
