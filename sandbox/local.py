"""
The sandbox without a container engine: the same agent and the same jail, on a Linux host.

Each slot is a box of namespaces that host/box.c makes, with the host's /usr in it, read-only. It
works as root and, where the host allows user namespaces, as a plain user. Programs have the
languages that the host has.
"""

import asyncio
import itertools
import os
import socket
import subprocess
from pathlib import Path

from sandbox.base import MAX_LIMITS, SandboxUnavailable, SlotLost
from sandbox.host import cgroups
from sandbox.host.build import host_root, keeper_of
from sandbox.levels import Level, level_of, require
from sandbox.pooled import PooledSandbox, closed_unless_done
from sandbox.slot import AGENT_MEMORY_MB, AGENT_PIDS, AgentSlot

START_TIMEOUT_S = 60.0
"""A box starts in 0.1 s, and its warm interpreter in 0.3 s, on a quiet machine."""

FIRST_UID = 0x70520000
"""Of agents outside their namespaces, if the service is root: a range that nobody uses."""

LIMITS = cgroups.SlotLimits(
    memory_mb=int(MAX_LIMITS["memory_mb"]) + AGENT_MEMORY_MB,
    cpus=1.0,
    pids=int(MAX_LIMITS["processes"]) + AGENT_PIDS,
)
"""Of a slot as a whole, as those of a container."""

END_TIMEOUT_S = 15.0
MAX_WORDS = 4000


class LocalSandbox(PooledSandbox):
    """Runs and judges programs in `slots` boxes on this host.

    `minimum` is the weakest level it starts with, see levels.py.
    """

    def __init__(self, *, slots: int = 2, minimum: Level = "rlimits") -> None:
        super().__init__(slots)
        self._minimum: Level = minimum
        self._root: Path | None = None
        self._limits = self._python = "unknown"
        self._uids = itertools.cycle(_outside_uids(slots))

    def isolation(self) -> dict[str, str]:
        """What isolates programs here."""
        return {
            "backend": "local",
            "level": level_of(self._limits),
            "limits": self._limits,
            "runtime": "this host's kernel",
            "image": "this host's /usr",
            "python": self._python,
        }

    async def _open(self) -> None:
        self._root = await asyncio.to_thread(host_root)
        cgroups.remove_leftovers()

    async def _shut(self) -> None:
        self._root = None

    async def _open_slot(self) -> AgentSlot:
        if self._root is None:
            raise SandboxUnavailable("the sandbox is closed")
        stream = BoxStream()
        slot = AgentSlot(stream, stream.end)
        async with closed_unless_done(slot):
            try:
                await stream.open(self._root, next(self._uids))
                hello = await slot.greet(within_s=START_TIMEOUT_S)
            except (SlotLost, OSError) as error:
                raise SandboxUnavailable(
                    f"this host gives no slot: {error}. It takes user, pid and mount namespaces, "
                    "which plain users are refused on some hosts; see docs/sandbox.md"
                ) from error
            self._limits, self._python = str(hello.get("limits")), str(hello.get("python"))
            require(
                level_of(self._limits),
                self._minimum,
                "this user may make no cgroups; run as root, or with `systemd-run --user --scope`, "
                "or use a container engine",
            )
        return slot


class BoxStream:
    """A box, and the socket that is its standard input and output."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader()
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._cgroups: dict[str, Path] = {}
        self._words = os.memfd_create("words")

    async def open(self, root: Path, uid: int) -> None:
        """Start the box."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                await asyncio.to_thread(self._start, root, uid, theirs)
        except BaseException:
            ours.close()
            raise
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=1 << 20)

    @property
    def is_open(self) -> bool:
        """Whether the box's end was not seen yet."""
        return self._writer is not None and not self._reader.at_eof()

    async def readexactly(self, size: int) -> bytes:
        """Exactly `size` bytes of the agent's stdout."""
        return await self._reader.readexactly(size)

    async def write(self, data: bytes) -> None:
        """Send to the agent's stdin."""
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(data)
        await self._writer.drain()

    def last_words(self) -> str:
        """The end of what the box and the agent wrote to stderr."""
        size = os.fstat(self._words).st_size
        said = os.pread(self._words, MAX_WORDS, max(0, size - MAX_WORDS))
        return said.decode("utf-8", "replace").strip()

    async def end(self) -> None:
        """Disconnect, upon which the box ends, and wait until nothing is left of it."""
        if self._writer is not None:
            self._writer.close()
        if self._keeper is not None:
            await asyncio.to_thread(_wait, self._keeper)
            self._keeper = None
        await asyncio.to_thread(cgroups.remove, self._cgroups.values())
        if self._words >= 0:
            os.close(self._words)
            self._words = -1

    def _start(self, root: Path, uid: int, connection: socket.socket) -> None:
        self._cgroups = cgroups.make_cgroup(LIMITS)
        cgroup = [f"{controller}={place}" for controller, place in self._cgroups.items()]
        self._keeper = subprocess.Popen(
            [str(keeper_of(root)), str(root), str(uid), *cgroup],
            stdin=connection.fileno(),
            stdout=connection.fileno(),
            stderr=self._words,
            env={"PATH": os.defpath},
            start_new_session=True,  # Ctrl-C is for the service, which ends its slots in good order
        )


def _wait(keeper: "subprocess.Popen[bytes]") -> None:
    try:
        keeper.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def _outside_uids(count: int) -> list[int]:
    """Users for `count` agents: as root users of their own, else the service's."""
    if os.geteuid() != 0:
        return [os.geteuid()]
    *_, extent = Path("/proc/self/uid_map").read_text().splitlines()
    first, _, length = map(int, extent.split())
    last = first + length - 1
    start = FIRST_UID if last > FIRST_UID + count else last - count
    return list(range(start, start + count)) if length > count else [0]
