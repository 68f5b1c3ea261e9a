"""
What the container's cgroup has used. One slot per container, so this is what the run used.

Read from the files that Docker mounts read-only into every container; version 1 and 2 differ in
names and units only.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_V2 = Path("/sys/fs/cgroup")
_V1_CPU = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage")
_V1_MEMORY = Path("/sys/fs/cgroup/memory")
_V1_PIDS = Path("/sys/fs/cgroup/pids")


def is_there() -> bool:
    """Whether this process can see a cgroup of its own."""
    return (_V2 / "cgroup.controllers").exists() or _V1_CPU.exists()


class Meter:
    """CPU time, memory, processes and out-of-memory kills of this container."""

    def __init__(self) -> None:
        self._is_v2 = (_V2 / "cgroup.controllers").exists()
        memory = _V2 if self._is_v2 else _V1_MEMORY
        self._cpu = _File(_V2 / "cpu.stat" if self._is_v2 else _V1_CPU)
        self._memory = _File(memory / "memory.stat")
        self._pids = _File((_V2 if self._is_v2 else _V1_PIDS) / "pids.current")
        self._oom = _File(memory / ("memory.events" if self._is_v2 else "memory.oom_control"))
        self._oom_kills_before = 0
        self.oom_kills()  # those of before are no run's: on a host the cgroup may be an old one
        self.name = "cgroup v2" if self._is_v2 else "cgroup v1"

    def cpu_ms(self) -> float:
        """CPU time of all processes that ever lived here, in ms."""
        if self._is_v2:
            return self._cpu.fields("usage_usec")[0] / 1e3
        return int(self._cpu.text()) / 1e6

    def memory_kb(self) -> int:
        """Memory that only its processes hold, tmpfs files included, page cache left out."""
        return sum(self._memory.fields("anon" if self._is_v2 else "rss", "shmem")) // 1024

    def processes(self) -> int:
        """How many processes and threads live here."""
        return int(self._pids.text())

    def oom_kills(self) -> int:
        """How often the kernel killed a process here for lack of memory since this was asked."""
        (kills,) = self._oom.fields("oom_kill")
        new, self._oom_kills_before = kills - self._oom_kills_before, kills
        return new


@dataclass(slots=True)
class _File:
    """A kernel file that is kept open: opening it costs more than reading it."""

    path: Path
    _fd: int = -1

    def text(self) -> str:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._fd, 16384, 0).decode("ascii")

    def fields(self, *names: str) -> list[int]:
        text, values = f"\n{self.text()}", []
        for name in names:
            value = text.index(f"\n{name} ") + len(name) + 2
            values.append(int(text[value : text.index("\n", value)]))
        return values
