"""
One run, watched from outside its jail: output, time and memory are measured and cut here.

Reports facts, not verdicts; the service turns them into a status.
"""

import json
import math
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.agent.cgroup import Meter, waited_for_cpu_ms
from sandbox.agent.tree import TreeMeter

TICK_MS = 20
"""How often CPU time and memory are looked at: a page-faulting program takes about 20 MB a tick."""

JAIL_CPU_MS = 10.0
"""CPU time that building and ending a jail costs this container, at most; not the program's."""

KILL_GRACE_S = 15.0
"""A killed process tree is gone well within this; if not, the container is unusable."""

PIPE_BYTES = 65_536
STDIN_PIPE_BYTES = 4096
"""What the smallest pipe holds: a program that hoards pipes makes them small for all its user's."""

SERVICE_FD = 0
DISK_BYTES = 64 << 20
"""Size of each of the work directory and /tmp; both also count as the run's memory."""

MAX_ARTIFACT_BYTES = 64 << 20
MAX_RESULT_BYTES = 16 << 20


class JailError(Exception):
    """The jail could not be built or ended; the run says nothing about the program."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the work directory; its content is in a descriptor."""

    name: str
    mode: int
    fd: int


@dataclass(frozen=True, slots=True)
class Order:
    """What to run, on what, and within which limits."""

    argv: list[str]
    env: list[str]
    files: list[File]
    stdin: bytes
    limits: dict[str, Any]
    deadline_s: float
    """Seconds until the caller loses interest."""
    artifact: str | None = None
    is_warm: bool = False
    """Whether it goes on in the warm interpreter instead of an exec of `argv`."""
    call: str | None = None
    """Name of a function of the program: call it, on the JSON in `stdin`, and take its result."""


@dataclass(slots=True)
class Facts:
    """What was seen of a run."""

    killed_for: str | None = None
    """wall, cpu, memory, output or deadline; None if it ended by itself."""
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


def sealed(content: bytes, name: str) -> int:
    """A descriptor of an anonymous file with this content."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class Execution:
    """Runs one order to its end."""

    def __init__(
        self, order: Order, spawner: socket.socket, meter: Meter | TreeMeter, agents: set[int]
    ) -> None:
        self._order = order
        self._meter = meter
        self._agents = agents
        self.facts = Facts()
        self.artifact_fd = os.memfd_create("artifact")
        self._cpu_before = meter.cpu_ms()
        self._own_cpu_before = time.process_time()
        self._memory_before = meter.memory_kb()
        self._oom_before = meter.oom_kills()
        self._start(spawner)

    def _start(self, spawner: socket.socket) -> None:
        stdin = self._stdin()
        self._stdout, stdout = os.pipe()
        self._stderr, stderr = os.pipe()
        self._status, status = os.pipe()
        self._result, result = os.pipe()
        given = [stdin, stdout, stderr, status, result]
        request = self._request()
        try:
            fds = [*given[:4], self.artifact_fd, result, *(f.fd for f in self._order.files)]
            socket.send_fds(spawner, [json.dumps(request).encode()], fds)
            self._started = time.monotonic()
            message, received, _, _ = socket.recv_fds(spawner, 4096, 1)
        finally:
            for fd in given:
                os.close(fd)
        answer = json.loads(message or b'{"error": "the spawner is gone"}')
        if "error" in answer:
            raise JailError(answer["error"])
        self._pidfd = received[0]

    def _stdin(self) -> int:
        if len(self._order.stdin) > STDIN_PIPE_BYTES:
            return sealed(self._order.stdin, "stdin")
        read, write = os.pipe()
        os.write(write, self._order.stdin)
        os.close(write)
        return read

    def _request(self) -> dict[str, Any]:
        order, limits = self._order, self._order.limits
        return {
            "argv": None if order.is_warm else order.argv,
            "env": order.env if not order.is_warm else [],
            "call": order.call,
            "has_result": order.call is not None,
            "files": [(file.name, file.mode) for file in order.files],
            "artifact": order.artifact,
            "artifact_max_bytes": MAX_ARTIFACT_BYTES,
            # A backstop: the kernel counts each process alone and in whole seconds.
            "cpu_s": math.ceil(limits["cpu_s"]) + 1,
            "stack_bytes": limits["memory_mb"] << 20,
            "disk_bytes": DISK_BYTES,
            "processes": limits["processes"],
        }

    def finish(self) -> Facts:
        """Watch until every process of the jail is gone."""
        poll = select.poll()
        self._outputs = {
            self._stdout: (self.facts.stdout, self._order.limits["output_kb"] * 1024),
            self._stderr: (self.facts.stderr, self._order.limits["output_kb"] * 1024),
            self._result: (self.facts.result, MAX_RESULT_BYTES),
        }
        for fd in (*self._outputs, self._status, self._pidfd):
            poll.register(fd, select.POLLIN)
        poll.register(SERVICE_FD, 0)
        status = b""
        is_gone = False
        while not is_gone:
            for fd, _ in poll.poll(TICK_MS):
                if fd == SERVICE_FD:  # a hang-up: nobody waits for this run any more
                    raise SystemExit("the service is gone")
                if fd == self._pidfd:
                    is_gone = True
                elif not (chunk := os.read(fd, PIPE_BYTES)):
                    poll.unregister(fd)
                elif fd == self._status:
                    status += chunk
                    self.facts.wall_ms = self._elapsed_s() * 1e3
                else:
                    self._keep(fd, chunk)
            self._enforce(has_ended=bool(status))
        for fd in self._outputs:
            self._drain(fd)
        self._settle(status + _rest(self._status))
        for fd in (*self._outputs, self._status, self._pidfd):
            os.close(fd)
        return self.facts

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def _cpu_ms(self) -> float:
        own = (time.process_time() - self._own_cpu_before) * 1e3
        return max(0.0, self._meter.cpu_ms() - self._cpu_before - own - JAIL_CPU_MS)

    def _keep(self, fd: int, chunk: bytes) -> None:
        kept, maximum = self._outputs[fd]
        room = maximum - len(kept)
        kept += chunk[:room]
        if len(chunk) > room:
            self._kill("output")

    def _drain(self, fd: int) -> None:
        # Nobody writes any more, but a process in another jail of the past may hold the pipe open.
        os.set_blocking(fd, False)
        while chunk := _read_now(fd):
            self._keep(fd, chunk)

    def _enforce(self, *, has_ended: bool) -> None:
        elapsed, limits = self._elapsed_s(), self._order.limits
        if self.facts.killed_for or has_ended:
            last_end = self.facts.wall_ms / 1e3
            if elapsed - last_end > KILL_GRACE_S:
                raise JailError("a killed run did not go away")
            return
        memory = self._meter.memory_kb() - self._memory_before
        self.facts.memory_kb = max(self.facts.memory_kb, memory)
        if self.facts.memory_kb > limits["memory_mb"] * 1024:
            self._kill("memory")
        elif self._cpu_ms() > limits["cpu_s"] * 1e3:
            self._kill("cpu")
        elif elapsed > self._order.deadline_s:
            self._kill("deadline")
        elif elapsed > limits["wall_s"]:
            self.facts.waited_for_cpu_ms = waited_for_cpu_ms(self._agents)
            self._kill("wall")

    def _kill(self, reason: str) -> None:
        if self.facts.killed_for is None:
            self.facts.killed_for = reason
            self.facts.wall_ms = self._elapsed_s() * 1e3
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]

    def _settle(self, status: bytes) -> None:
        """Take in what init said: `setup STEP ERRNO` or `end WAIT_STATUS CPU_US PEAK_KIB`."""
        facts = self.facts
        facts.oom_kills = self._meter.oom_kills() - self._oom_before
        facts.cpu_ms = self._cpu_ms()
        words = status.decode("ascii", "replace").split("\n", 1)[0].split()
        if words[:1] == ["setup"]:
            facts.setup_error = f"{words[1]}: {os.strerror(int(words[2]))}"
        elif words[:1] == ["end"]:
            facts.wait_status = int(words[1])
            facts.cpu_ms = max(facts.cpu_ms, int(words[2]) / 1e3)
            facts.memory_kb = max(facts.memory_kb, int(words[3]))
        elif facts.killed_for is None and not facts.oom_kills:
            raise JailError("the jail's first process ended without a word")


def _read_now(fd: int) -> bytes:
    try:
        return os.read(fd, PIPE_BYTES)
    except BlockingIOError:
        return b""


def _rest(fd: int) -> bytes:
    os.set_blocking(fd, False)
    return _read_now(fd)
