"""
The sandbox of Docker containers, one slot each.

Orders travel over the container's standard streams: that needs no shared directory, so it works
where the service is a container itself, and the agent sees the end of its stdin when the service
is killed. docs/decisions/0003-sandbox.md has the figures.
"""

import asyncio
import logging
import secrets
import socket
import struct

from sandbox.base import MAX_LIMITS, SandboxUnavailable, SlotLost
from sandbox.docker import ContainerOptions, Engine, EngineError
from sandbox.images.build import image_tag
from sandbox.levels import Level, level_of, require
from sandbox.pooled import PooledSandbox, closed_unless_done
from sandbox.seccomp import profile
from sandbox.slot import AGENT_MEMORY_MB, AGENT_PIDS, AgentSlot

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
"""A container starts in 0.3 s on a quiet machine, and in seconds on one that starts many."""


class DockerSandbox(PooledSandbox):
    """Runs and judges programs in `slots` locked-down containers.

    `image` defaults to the one that fits this version. Containers that a killed service of the same
    `owner` left are removed at the start; owners must differ between services on one engine, so the
    default is a random one. `minimum` is the weakest level it starts with, see levels.py. `runtime`
    names a runtime registered with the engine and `apparmor` a loaded profile, see docs/sandbox.md.
    """

    def __init__(
        self,
        image: str | None = None,
        *,
        slots: int = 2,
        owner: str | None = None,
        minimum: Level = "rlimits",
        runtime: str | None = None,
        apparmor: str | None = None,
    ) -> None:
        super().__init__(slots)
        self._minimum: Level = minimum
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
        self.holds_our_image = self._options.image in (image_tag("core"), image_tag("full"))
        self._engine: Engine | None = None
        self._left: set[str] = set()
        self._limits = self._python = "unknown"

    def isolation(self) -> dict[str, str]:
        """What isolates programs here. `start` fails where a jail cannot be complete."""
        return {
            "backend": "docker",
            "level": level_of(self._limits),
            "limits": self._limits,
            "runtime": self._options.runtime or "the engine's default",
            "image": self._options.image,
            "python": self._python,
        }

    async def _open(self) -> None:
        engine = await asyncio.to_thread(Engine)
        self._engine = engine
        await asyncio.to_thread(engine.check, self._options)
        await asyncio.to_thread(engine.remove_leftovers, self._options.owner)

    async def _shut(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    async def _open_slot(self) -> AgentSlot:
        engine = self._engine
        if engine is None:
            raise SandboxUnavailable("the sandbox is closed")
        await self._sweep(engine)
        name = f"rulegrade-sandbox-{secrets.token_hex(8)}"

        async def remove() -> None:
            stream.close()
            await self._remove(engine, name)

        stream = AttachedStream()
        slot = AgentSlot(stream, remove)
        async with closed_unless_done(slot):
            await asyncio.to_thread(engine.create, name, self._options)
            await stream.open(await asyncio.to_thread(engine.attach, name))
            await asyncio.to_thread(engine.start, name)
            try:
                hello = await slot.greet(within_s=START_TIMEOUT_S)
            except SlotLost as error:
                reason = stream.last_words().rpartition("\n")[2] or str(error)
                raise SandboxUnavailable(
                    f"a container under the runtime {self._runtime} gives no slot: {reason}. It "
                    "takes user, pid and mount namespaces, and a /proc that can be mounted inside "
                    "it; see docs/sandbox.md"
                ) from error
            self._limits, self._python = str(hello.get("limits")), str(hello.get("python"))
            require(
                level_of(self._limits),
                self._minimum,
                f"the runtime {self._runtime} shows its containers no cgroup; use another one",
            )
        return slot

    @property
    def _runtime(self) -> str:
        return self._options.runtime or "of the engine's choice"

    async def _remove(self, engine: Engine, name: str) -> None:
        """Remove a container, later if the engine is away."""
        try:
            await asyncio.to_thread(engine.remove, name)
        except EngineError as error:
            log.warning("a container will be removed later: %s", error)
            self._left.add(name)

    async def _sweep(self, engine: Engine) -> None:
        for name in tuple(self._left):
            await asyncio.to_thread(engine.remove, name)
            self._left.discard(name)


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
