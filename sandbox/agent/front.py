"""
The front: process 1 of a sandbox container. Takes orders on stdin, answers on stdout.

Orders, each answered by one frame:

    load      a program, for one side: files, and the command that compiles it, if it is to be
              compiled; what was compiled goes along with the answer, if it is not too large
    run       the loaded program on one input after the other, by the command given
    run_pair  the loaded program and the loaded judge at once, each in a jail, with a link between
    stop      the run that is under way, if one is; the run is answered first, then this

What needs no compiling is loaded on the way to its first run: `loads` of a run are such orders.

It ends when its stdin ends, and the container with it: a service that was killed leaves nothing.
"""

import os
import platform
import resource
import socket
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Literal

from sandbox.agent import cgroup, frames
from sandbox.agent.execution import Baseline, Execution
from sandbox.agent.jailed import Facts, File, JailedRun, JailError, Link, Order, sealed
from sandbox.agent.spawners import Spawners
from sandbox.agent.tree_meter import TreeMeter

Side = Literal["program", "judge"]

MAX_KEPT_BYTES = 16 << 20
"""Runs of one order are answered together until they have said so much."""

FAILED = 1 << 8
"""Wait status of a process that ended with exit status 1."""


class Front:
    """Keeps what was loaded between orders."""

    def __init__(self) -> None:
        # Descriptors on their way are counted per user; runs, with a lower limit, must not use up
        # what agents need.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._agents = {os.getpid()}
        self._meter = cgroup.Meter() if cgroup.is_there() else TreeMeter(self._agents)
        self._spawners = Spawners(self._agents)
        self._files: dict[Side, list[File]] = {}
        self._warm_kind: dict[Side, str] = {}

    def greeting(self) -> frames.Header:
        """What the service wants to know of this place before it sends anything."""
        numpy = "" if find_spec("numpy") else ", without numpy"
        python = f"{sys.executable} {platform.python_version()}{numpy}"
        return {"limits": self._meter.name, "python": python}

    def answer(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """Carry out one order."""
        for load in order.get("loads", ()):
            count = len(load["files"])
            self._load(load, blobs[:count])
            blobs = blobs[count:]
        match order["op"]:
            case "load":
                return _reply({"program": self._load(order, blobs)})
            case "run":
                return self._run_each(order, blobs)
            case "run_pair":
                return self._run_pair(order, blobs)
            case "stop":  # what is read here came too late
                return frames.encode({})
            case other:
                raise frames.BadFrame(f"unknown order {other}")

    def _load(self, order: frames.Header, blobs: Sequence[bytes]) -> Facts:
        side: Side = order["side"]
        if side == "program":  # a judge is loaded after the program it judges
            self._unload("judge")
        self._unload(side)
        files = _files(order["files"], blobs, order["mode"])
        warm_kind = self._spawners.warm_kind(blobs)
        self._warm_kind[side] = warm_kind if side == "program" else "judge-python"
        if order["command"] is None:
            self._files[side] = files
            if side == "program":
                self._spawners.get(warm_kind)  # to start one may take as long as to compile
            return Facts(wait_status=0)
        artifact = order["command"]["artifact"]
        facts, built = self._compile(order, files)
        source, *beside = files
        _close([source])
        self._files[side] = [File(artifact, 0o555, built), *beside]
        size = os.fstat(built).st_size
        if facts.wait_status == 0 and not size:
            facts.wait_status = FAILED
            facts.stderr += b"the compiler left no program, or too large a one"
        elif facts.wait_status == 0 and size <= order["bring_bytes"]:
            facts.files[artifact] = os.pread(built, size, 0)
        return facts

    def _compile(self, order: frames.Header, files: list[File]) -> tuple[Facts, int]:
        command = order["command"]
        before = Baseline(self._meter)
        run = self._start(command, files, b"", order["limits"])
        Execution(run, None, order["limits"], deadline_s=order["deadline_s"], before=before).finish(
            self._agents
        )
        return run.facts, run.left()

    def _run_each(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """`blobs` are the inputs, and files beside the program."""
        deadline = time.monotonic() + order["deadline_s"]
        inputs, contents = blobs[: order["inputs"]], blobs[order["inputs"] :]
        beside = _files(order["files"], contents)
        ended: list[Facts] = []
        for stdin in inputs:
            facts = self._run_alone(order, stdin, beside, deadline - time.monotonic())
            ended.append(facts)
            has_failed = facts.killed_for is not None or facts.wait_status != 0
            is_last = facts.killed_for in ("stop", "deadline") or (
                has_failed and order["is_failure_last"]
            )
            if is_last or sum(map(Facts.size, ended)) > MAX_KEPT_BYTES:
                break
        _close(beside)
        return _reply({"program": ended[0]}, ended[1:])

    def _run_alone(
        self, order: frames.Header, stdin: bytes, beside: list[File], deadline_s: float
    ) -> Facts:
        files = [*self._files["program"], *beside]
        command, limits = order["command"], order["limits"]
        self._spawner(command, "program")
        before = Baseline(self._meter)
        run = self._start(command, files, stdin, limits, outputs=order["outputs"])
        Execution(run, None, limits, deadline_s=deadline_s, before=before).finish(self._agents)
        run.close()
        return run.facts

    def _run_pair(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """`blobs` are the judge's input, and files beside it."""
        beside = _files(order["files"], blobs[1:])
        limits = order["limits"]
        self._spawner(order["command"], "program")
        self._spawner(order["judge"], "judge")
        before = Baseline(self._meter)
        links = _pipes() if order["link"] == "pipes" else _sockets()
        judge = self._start(
            order["judge"],
            [*self._files["judge"], *beside],
            blobs[0],
            order["judge_limits"],
            link=links[1],
            side="judge",
        )
        program = self._start(order["command"], self._files["program"], b"", limits, link=links[0])
        for link in links:
            link.close()
        Execution(
            program,
            judge,
            limits,
            deadline_s=order["deadline_s"],
            before=before,
            has_own_end=order["link"] == "pipes",
        ).finish(self._agents)
        _close(beside)
        for run in (program, judge):
            run.close()
        return _reply({"program": program.facts, "judge": judge.facts})

    def _start(
        self,
        command: dict[str, Any],
        files: list[File],
        stdin: bytes,
        limits: dict[str, Any],
        *,
        outputs: Sequence[str] = (),
        link: Link = Link(),  # noqa: B008 (frozen)
        side: Side = "program",
    ) -> JailedRun:
        role = command.get("role")
        order = Order(
            argv=command["argv"],
            env=command["env"],
            files=files,
            stdin=stdin,
            limits=limits,
            artifact=command.get("artifact"),
            outputs=list(outputs),
            role=role,
            has_result=side == "judge" or command.get("has_result", False),
            link=link,
        )
        return JailedRun(order, self._spawner(command, side))

    def _spawner(self, command: dict[str, Any], side: Side) -> socket.socket:
        """Ready; asked for before a run's time begins, because one may have to be started.

        A spawner sleeps while its run lives, so the two of a pair come from different ones.
        """
        if (role := command.get("role")) is not None:
            find = self._spawners.serving if role["name"] == "serve" else self._spawners.get
            return find(self._warm_kind[side])
        return self._spawners.get("exec" if side == "program" else "judge-exec")

    def _unload(self, side: Side) -> None:
        _close(self._files.pop(side, []))


def _reply(facts: dict[str, Facts], more: Sequence[Facts] = ()) -> bytes:
    """By side, and `more` of the program's runs."""
    headers: dict[str, Any] = {side: found.header() for side, found in facts.items()}
    headers["more"] = [found.header() for found in more]
    blobs: list[bytes | bytearray] = []
    for found in (*facts.values(), *more):
        blobs += [found.stdout, found.stderr, found.result, *found.files.values()]
    return frames.encode(headers, blobs)


def _sockets() -> tuple[Link, Link]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Link(socket=ends[0].detach()), Link(socket=ends[1].detach())


def _pipes() -> tuple[Link, Link]:
    """What each of the two prints is what the other one reads."""
    (from_judge, judge_says), (from_program, program_says) = os.pipe(), os.pipe()
    return Link(stdin=from_judge, stdout=program_says), Link(stdin=from_program, stdout=judge_says)


def _files(names: Sequence[str], contents: Sequence[bytes], mode: int = 0o444) -> list[File]:
    pairs = zip(names, contents, strict=True)
    return [File(name, mode, sealed(content, "file")) for name, content in pairs]


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
