"""
The sandbox of Docker containers, one slot each.

Orders travel over the container's standard streams: that needs no shared directory, so it works
where the service is a container itself, and the agent sees the end of its stdin when the service
is killed. docs/decisions/0003-sandbox.md has the figures.
"""

import asyncio
import secrets
import socket
import struct
from types import TracebackType
from typing import Self

from sandbox import canaries
from sandbox.base import (
    MAX_LIMITS,
    DeadlineExceeded,
    Limits,
    Program,
    Run,
    SandboxUnavailable,
    SlotLost,
    Status,
)
from sandbox.builds import Counts
from sandbox.docker import ContainerOptions, Engine
from sandbox.images.build import image_tag
from sandbox.judge import judge, prepared, run_alone
from sandbox.pool import SlotPool
from sandbox.seccomp import profile
from sandbox.slot import AgentSlot
from sandbox.submission import Judgement, Submission

AGENT_MEMORY_MB = 256
"""For the agent's processes, a run's output on its way, and the compiled program."""

AGENT_PIDS = 64

START_TIMEOUT_S = 60.0
"""A container starts in 0.3 s on a quiet machine, and in seconds on one that starts many."""


class DockerSandbox:
    """Runs and judges programs in `slots` locked-down containers.

    `image` defaults to the one that fits this version. Containers that a killed service of the same
    `owner` left are removed at the start; owners must differ between services on one engine, so the
    default is a random one. `runtime` names a runtime registered with the engine and `apparmor` a
    loaded profile, see docs/sandbox.md.
    """

    def __init__(
        self,
        image: str | None = None,
        *,
        slots: int = 2,
        owner: str | None = None,
        runtime: str | None = None,
        apparmor: str | None = None,
    ) -> None:
        self._slots = slots
        self._options = ContainerOptions(
            image=image or image_tag(),
            owner=owner or secrets.token_hex(8),
            memory_mb=int(MAX_LIMITS["memory_mb"]) + AGENT_MEMORY_MB,
            cpus=1.0,
            pids=int(MAX_LIMITS["processes"]) + AGENT_PIDS,
            seccomp=profile(),
            runtime=runtime,
            apparmor=apparmor,
        )
        self._engine: Engine | None = None
        self._pool: SlotPool | None = None
        self._cgroup_version = "unknown"

    async def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""
        engine = await asyncio.to_thread(Engine)
        self._engine = engine
        try:
            await asyncio.to_thread(engine.remove_leftovers, self._options.owner)
            pool = SlotPool(self._make_slot, self._slots)
            await pool.start()
        except BaseException:
            await self.close()
            raise
        self._pool = pool

    def isolation(self) -> dict[str, str]:
        """What isolates programs here, in words: for people and for `doctor`.

        There is no weaker mode: `start` fails where a jail cannot be complete.
        """
        return {
            "backend": "docker",
            "jail": "full",
            "image": self._options.image,
            "runtime": self._options.runtime or "the engine's default",
            "cgroup": self._cgroup_version,
        }

    @property
    def trouble(self) -> str | None:
        """Why no program can be run at present, in words; None while all is well."""
        return "the sandbox was not started" if self._pool is None else self._pool.trouble

    @property
    def compilations(self) -> Counts:
        """How often a compiler ran since the start, and how often its work was used again."""
        return self._running_pool().builds.counts

    async def judge(self, submission: Submission, *, deadline: float) -> Judgement:
        """Compile and test a submission. Raises SandboxError; `deadline` is in Unix seconds."""
        return await judge(self._running_pool(), submission, deadline=deadline)

    async def run(
        self, program: Program, stdin: bytes = b"", limits: Limits | None = None, *, deadline: float
    ) -> Run:
        """Compile and run one program. Raises SandboxError; `deadline` is in Unix seconds."""
        pool = self._running_pool()
        try:
            return await _run_once(pool, program, stdin, limits or Limits(), deadline)
        except SlotLost:
            return await _run_once(pool, program, stdin, limits or Limits(), deadline)

    async def close(self) -> None:
        """Kill and remove every container. Safe to call twice."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    def _running_pool(self) -> SlotPool:
        if self._pool is None:
            raise SandboxUnavailable("the sandbox was not started")
        return self._pool

    async def _make_slot(self) -> AgentSlot:
        engine = self._engine
        if engine is None:
            raise SandboxUnavailable("the sandbox is closed")
        container = await asyncio.to_thread(engine.create, self._options)

        async def remove() -> None:
            stream.close()
            await asyncio.to_thread(engine.remove, container)

        stream = AttachedStream()
        slot = AgentSlot(stream, remove)
        try:
            await stream.open(await asyncio.to_thread(engine.attach, container))
            await asyncio.to_thread(engine.start, container)
            hello = await slot.greet(within_s=START_TIMEOUT_S)
            self._cgroup_version = str(hello.get("cgroup"))
            await canaries.check(slot)
        except (SlotLost, DeadlineExceeded) as error:
            await slot.close()
            raise SandboxUnavailable(
                f"a container is up but cannot run programs: {error}"
            ) from error
        except BaseException:
            await slot.close()
            raise
        return slot


async def _run_once(
    pool: SlotPool, program: Program, stdin: bytes, limits: Limits, deadline: float
) -> Run:
    async with prepared(pool, program, deadline) as (session, compiled):
        if compiled.status is not Status.OK:
            return compiled
        run = await session.run(stdin, limits)
    if run.was_starved:
        return await run_alone(pool, program, stdin, limits, deadline)
    return run


class AttachedStream:
    """The standard streams of a container, unpacked from the engine's framing.

    The engine prefixes each piece with the stream it is from and its length.
    """

    _PREFIX = struct.Struct(">B3xL")
    _STDERR = 2
    _MAX_WORDS = 4000

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._words = bytearray()
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, connection: socket.socket) -> None:
        """Take over a connected socket."""
        connection.setblocking(False)
        self._reader, self._writer = await asyncio.open_connection(sock=connection, limit=1 << 20)

    @property
    def is_open(self) -> bool:
        """Whether the container's end was not seen yet."""
        return self._writer is not None and not self._reader.at_eof()

    async def readexactly(self, size: int) -> bytes:
        """Exactly `size` bytes of the agent's stdout."""
        while len(self._buffer) < size:
            kind, length = self._PREFIX.unpack(await self._reader.readexactly(self._PREFIX.size))
            piece = await self._reader.readexactly(length)
            if kind == self._STDERR:
                self._words = (self._words + piece)[-self._MAX_WORDS :]
            else:
                self._buffer += piece
        data = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return data

    async def write(self, data: bytes) -> None:
        """Send to the agent's stdin."""
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(data)
        await self._writer.drain()

    def last_words(self) -> str:
        """The end of the agent's stderr."""
        return self._words.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Disconnect, upon which the agent ends."""
        if self._writer is not None:
            self._writer.close()
