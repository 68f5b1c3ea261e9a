"""
The front: process 1 of a sandbox container. Takes orders on stdin, answers on stdout.

Orders, each answered by one frame:

    load   a program: files, and the command that compiles it, if it is compiled
    run    the loaded program on one input, by the command given

It ends when its stdin ends, and the container with it: a service that was killed leaves nothing.
"""

import os
import platform
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from sandbox.agent import cgroup, frames
from sandbox.agent.execution import Execution, Facts, File, JailError, Order, sealed
from sandbox.agent.tree import TreeMeter

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/box",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same order of sets in every run
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads cannot be forked, and CPU time counts all
    "OMP_NUM_THREADS": "1",
}
"""Of the spawners, and so of the programs that the warm interpreter runs."""

START_SPAWNER = """
import sys
sys.path.insert(0, "/opt/rulegrade")
from sandbox.agent.spawner import main
main()
"""

STACK_BYTES = 1 << 30

FAILED = 1 << 8
"""Wait status of a process that ended with exit status 1."""


class Front:
    """Keeps the loaded program between orders."""

    def __init__(self) -> None:
        # Descriptors on their way are counted per user; runs, with a lower limit, must not use up
        # what agents need.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._agents = {os.getpid()}
        self._meter = cgroup.Meter() if cgroup.is_there() else TreeMeter(self._agents)
        self._exec = self._start_spawner("exec")
        self._python = self._start_spawner("python")
        self._files: list[File] = []

    def _start_spawner(self, kind: str) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # An exec and a clean environment, so that a run finds nothing of the container's in it.
        process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-c", START_SPAWNER, str(theirs.fileno()), kind],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT,
            pass_fds=[theirs.fileno()],
            # The room a stack may grow into is fixed when a program starts.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, -1)),
        )
        theirs.close()
        self._agents.add(process.pid)
        return ours

    def greeting(self) -> frames.Header:
        """What the service wants to know of this place before it sends anything."""
        numpy = "" if find_spec("numpy") else ", without numpy"
        python = f"{sys.executable} {platform.python_version()}{numpy}"
        return {"limits": self._meter.name, "python": python}

    def answer(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """Carry out one order."""
        match order["op"]:
            case "load":
                facts = self._load(order, blobs)
            case "run":
                beside = _files(order["files"], blobs[1:])
                files = [*self._files, *beside]
                facts = self._run(order["command"], files, order, stdin=blobs[0])[0]
                _close(beside)
            case other:
                raise frames.BadFrame(f"unknown order {other}")
        header = asdict(facts)
        outputs = [bytes(header.pop(name)) for name in ("stdout", "stderr", "result")]
        return frames.encode(header, outputs)

    def _load(self, order: frames.Header, blobs: Sequence[bytes]) -> Facts:
        self._unload()
        files = _files(order["files"], blobs)
        if order["command"] is None:
            self._files = files
            return Facts(wait_status=0)
        artifact = order["command"]["artifact"]
        facts, built = self._run(order["command"], files, order, stdin=b"")
        source, *beside = files
        _close([source])
        self._files = [File(artifact, 0o555, built), *beside]
        if facts.wait_status == 0 and not os.fstat(built).st_size:
            facts.wait_status = FAILED
            facts.stderr += b"the compiler left no program, or too large a one"
        return facts

    def _run(
        self, command: dict[str, Any], files: list[File], order: frames.Header, *, stdin: bytes
    ) -> tuple[Facts, int]:
        """The facts of a run, and what it built: a descriptor that the caller closes."""
        execution = Execution(
            Order(
                argv=command["argv"],
                env=command["env"],
                files=files,
                stdin=stdin,
                limits=order["limits"],
                deadline_s=order["deadline_s"],
                artifact=command.get("artifact"),
                is_warm=command.get("is_warm", False),
                call=order.get("call"),
            ),
            self._python if command.get("is_warm") else self._exec,
            self._meter,
            self._agents,
        )
        facts = execution.finish()
        if not command.get("artifact"):
            os.close(execution.artifact_fd)
        return facts, execution.artifact_fd

    def _unload(self) -> None:
        _close(self._files)
        self._files = []


def _files(names: Sequence[str], contents: Sequence[bytes]) -> list[File]:
    pairs = zip(names, contents, strict=True)
    return [File(name, 0o444, sealed(content, "file")) for name, content in pairs]


def _close(files: list[File]) -> None:
    for file in files:
        os.close(file.fd)


def main() -> None:
    """Serve until stdin ends."""
    front = Front()
    _send(frames.encode(front.greeting()))
    source = sys.stdin.buffer
    while prefix := source.read(frames.PREFIX.size):
        order, sizes = frames.decode_header(source.read(frames.header_length(prefix)))
        blobs = [source.read(size) for size in sizes]
        try:
            reply = front.answer(order, blobs)
        except JailError as error:
            reply = frames.encode({"error": str(error)})
        _send(reply)


def _send(frame: bytes) -> None:
    sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
