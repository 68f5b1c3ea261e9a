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
from sandbox.agent.jail import Jail, JailError
from sandbox.agent.jailed import Facts, JailedRun
from sandbox.agent.order import (
    File,
    close_files,
    open_files,
    order_for,
    pipe_links,
    socket_links,
)
from sandbox.agent.spawners import Spawners
from sandbox.agent.tree_meter import TreeMeter

Side = Literal["program", "judge"]

MAX_KEPT_BYTES = 16 << 20
MAX_TOGETHER_S = 0.1
"""Runs of one order are answered together until they have said so much, or taken so long."""

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
        files = open_files(order["files"], blobs, order["mode"])
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
        close_files([source])
        self._files[side] = [File(artifact, 0o555, built), *beside]
        size = os.fstat(built).st_size
        if facts.wait_status == 0 and not size:
            facts.wait_status = FAILED
            facts.stderr += b"the compiler left no program, or too large a one"
        elif facts.wait_status == 0 and size <= order["bring_bytes"]:
            facts.files[artifact] = os.pread(built, size, 0)
        return facts

    def _compile(self, order: frames.Header, files: list[File]) -> tuple[Facts, int]:
        command, limits = order["command"], order["limits"]
        spawner = self._spawner(command, "program")
        before = Baseline(self._meter)
        run = JailedRun(order_for(command, files, limits), b"", spawner)
        Execution(run, None, limits, deadline_s=order["deadline_s"], before=before).finish(
            self._agents
        )
        return run.facts, run.left()

    def _run_each(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """`blobs` are the inputs, and files beside the program."""
        began = time.monotonic()
        deadline = began + order["deadline_s"]
        inputs, contents = blobs[: order["inputs"]], blobs[order["inputs"] :]
        beside = open_files(order["files"], contents)
        command, limits = order["command"], order["limits"]
        program = order_for(
            command, [*self._files["program"], *beside], limits, outputs=order["outputs"]
        )
        spawner = self._spawner(command, "program")
        before = Baseline(self._meter)
        jail: Jail | None = None
        ended: list[Facts] = []
        for number, stdin in enumerate(inputs, 1):
            before.start_clock()
            run = JailedRun(program, stdin, spawner, jail=jail, has_next=number < len(inputs))
            left_s = deadline - time.monotonic()
            Execution(run, None, limits, deadline_s=left_s, before=before).finish(self._agents)
            run.close()
            jail = run.jail if run.leaves_jail else None
            ended.append(run.facts)
            is_enough = time.monotonic() - began > MAX_TOGETHER_S
            is_enough |= sum(map(Facts.size, ended)) > MAX_KEPT_BYTES
            if is_enough or _is_last(run.facts, order):
                break
        if jail is not None:
            jail.end()
        close_files(beside)
        return _reply({"program": ended[0]}, ended[1:])

    def _run_pair(self, order: frames.Header, blobs: Sequence[bytes]) -> bytes:
        """`blobs` are the judge's input, and files beside it."""
        beside = open_files(order["files"], blobs[1:])
        limits = order["limits"]
        spawner = self._spawner(order["command"], "program")
        judges_spawner = self._spawner(order["judge"], "judge")
        before = Baseline(self._meter)
        links = pipe_links() if order["link"] == "pipes" else socket_links()
        judge = JailedRun(
            order_for(
                order["judge"],
                [*self._files["judge"], *beside],
                order["judge_limits"],
                link=links[1],
                has_result=True,
            ),
            blobs[0],
            judges_spawner,
        )
        program = JailedRun(
            order_for(order["command"], self._files["program"], limits, link=links[0]), b"", spawner
        )
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
        close_files(beside)
        for run in (program, judge):
            run.close()
        return _reply({"program": program.facts, "judge": judge.facts})

    def _spawner(self, command: dict[str, Any], side: Side) -> socket.socket:
        """Ready; asked for before a run's time begins, because one may have to be started.

        A spawner sleeps while its run lives, so the two of a pair come from different ones.
        """
        if (role := command.get("role")) is not None:
            return self._spawners.warm(self._warm_kind[side], role["name"])
        return self._spawners.get("exec" if side == "program" else "judge-exec")

    def _unload(self, side: Side) -> None:
        close_files(self._files.pop(side, []))


def _is_last(facts: Facts, order: frames.Header) -> bool:
    """Whether the runs that were to follow this one are not wanted any more."""
    has_failed = facts.killed_for is not None or facts.wait_status != 0
    return facts.killed_for in ("stop", "deadline") or (has_failed and order["is_failure_last"])


def _reply(facts: dict[str, Facts], more: Sequence[Facts] = ()) -> bytes:
    """By side, and `more` of the program's runs."""
    headers: dict[str, Any] = {side: found.header() for side, found in facts.items()}
    headers["more"] = [found.header() for found in more]
    blobs: list[bytes | bytearray] = []
    for found in (*facts.values(), *more):
        blobs += [found.stdout, found.stderr, found.result, *found.files.values()]
    return frames.encode(headers, blobs)


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
