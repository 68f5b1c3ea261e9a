"""
One run in its jail: the descriptors it was given, what it wrote to them, and how it ended.

Whoever watches it decides when to kill it; see `execution`.
"""

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.agent.jail import Jail, JailError, begin_run
from sandbox.agent.order import Order, sealed

PIPE_BYTES = 65_536
STDIN_PIPE_BYTES = 4096
"""What the smallest pipe holds: a program that hoards pipes makes them small for all its user's."""

_OUTPUT_SIZE = struct.Struct("=q")
_TOO_LARGE = -2

MAX_RESULT_BYTES = 16 << 20

_CONTENTS = ("stdout", "stderr", "result", "files")


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


class JailedRun:
    """Starts when it is made, and has ended when `is_over`.

    With `has_next` its jail is left to the run that follows, unless it had to be killed, or changed
    what is there.
    """

    def __init__(
        self,
        order: Order,
        stdin: bytes,
        spawner: socket.socket,
        *,
        jail: Jail | None = None,
        has_next: bool = False,
    ) -> None:
        self.facts = Facts()
        self.artifact_fd = os.memfd_create("left") if order.artifact or order.outputs else None
        """What init copies to: its artifact, or its output files; see copy_outputs in jail.c."""
        self._words = b""
        self._finished: set[int] = set()
        self._output_names = order.outputs
        self._outputs: dict[int, tuple[bytearray, int]] = {}
        """What it writes to, by descriptor: where that is kept, and how much of it at most."""
        link, output_bytes = order.link, order.limits["output_kb"] * 1024
        given = [_input(stdin) if link.stdin is None else os.dup(link.stdin)]
        if link.stdout is None:
            given.append(self._pipe(self.facts.stdout, output_bytes))
        else:
            given.append(os.dup(link.stdout))
        given.append(self._pipe(self.facts.stderr, output_bytes))
        self._status, status = os.pipe()
        given.append(status)
        if order.has_result:
            given.append(self._pipe(self.facts.result, MAX_RESULT_BYTES))
        # Places that a run has no use for are filled with any descriptor.
        fds = [*given[:4], given[0] if self.artifact_fd is None else self.artifact_fd, given[-1]]
        fds += [] if link.socket is None else [link.socket]
        fds += [file.fd for file in order.files]
        self.started = time.monotonic()
        try:
            self.jail = begin_run(spawner, order.request, fds, jail=jail, has_next=has_next)
        finally:
            for fd in given:
                os.close(fd)

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
    def leaves_jail(self) -> bool:
        """Whether its jail waits for the next run."""
        is_left = self._words.startswith(b"end ") and self._words.endswith(b" 1\n")
        return is_left and self.facts.killed_for is None and not self.jail.is_gone

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self.jail.is_gone or self.leaves_jail

    def ends(self) -> list[int]:
        """What to poll for its end, and give to `take`."""
        return [self._status, self.jail.pidfd]

    def outputs(self) -> list[int]:
        """What to poll for what it writes, and give to `take`."""
        return list(self._outputs)

    def take(self, fd: int) -> int:
        """Take in what one of these has for us; its size, 0 if there will be nothing any more."""
        if fd == self.jail.pidfd:
            self.jail.is_gone = True
            return 0
        chunk = os.read(fd, PIPE_BYTES)
        if not chunk:
            self._finished.add(fd)
        elif fd == self._status:
            self._words += chunk
            if not self.facts.wall_ms:
                self.facts.wall_ms = self.elapsed_s() * 1e3
        else:
            self._keep(fd, chunk)
        return len(chunk)

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
            self.jail.kill()

    def settle(self) -> None:
        """Once it is over: take in the rest, and what init said.

        Which is `setup STEP ERRNO`, or `end` with five numbers (see jail.c).
        """
        self._take_rest()
        facts = self.facts
        words = self._words.decode("ascii", "replace").split("\n", 1)[0].split()
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
        if not self.leaves_jail:
            self.jail.end()

    def _take_rest(self) -> None:
        poll = select.poll()
        fds = {self._status, *self._outputs}
        for fd in fds - self._finished:
            poll.register(fd, select.POLLIN)
        # Not until all are closed: a process in another jail of the past may hold a pipe open.
        is_more = True
        while is_more:
            is_more = False
            for fd, event in poll.poll(0):
                if event & select.POLLIN and self.take(fd) == PIPE_BYTES:
                    is_more = True
                else:
                    poll.unregister(fd)
        for fd in fds:
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
