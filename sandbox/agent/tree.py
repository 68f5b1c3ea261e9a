"""
What a run has used, where there is no cgroup to ask: its processes are looked at one by one.

Less exact than a cgroup. Files in /box and /tmp do not count, and the CPU time of a process that
came and went between two looks counts only if its parent waited for it.
"""

import os
from collections.abc import Container, Iterator
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class TreeMeter:
    """CPU time and memory of this pid namespace, that of `agents` left out of the memory."""

    name = "rlimits"

    def __init__(self, agents: Container[int]) -> None:
        self._agents = agents
        self._last_ms = 0.0
        self._lost_ms = 0.0

    def cpu_ms(self) -> float:
        """CPU time of all that was ever seen here, in ms; never less than before.

        What a killed tree had used is lost with it; what was seen of it is remembered.
        """
        found_ms = sum(map(_cpu_ms, _pids()))
        self._lost_ms += max(0.0, self._last_ms - found_ms)
        self._last_ms = found_ms
        return found_ms + self._lost_ms

    def memory_kb(self) -> int:
        """Memory of all runs, what their processes share counted once."""
        return sum(_memory_kb(pid) for pid in _pids() if not self._is_ours(pid))

    def processes(self) -> int:
        """How many processes and threads live here."""
        return sum(_threads(pid) for pid in _pids())

    def oom_kills(self) -> int:
        """Unknown without a cgroup."""
        return 0

    def _is_ours(self, pid: int) -> bool:
        # A jail's init is an agent's child and shares its memory.
        return pid in self._agents or int(_fields(pid)[1]) in self._agents


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the third on: the second is a name that may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:  # ended since
        return ["0"] * 50
    return text.rpartition(")")[2].split()


def _cpu_ms(pid: int) -> float:
    # utime and stime, then those of children it has waited for
    return sum(map(int, _fields(pid)[11:15])) * 1e3 / _TICKS_PER_S


def _threads(pid: int) -> int:
    return int(_fields(pid)[17])


def _memory_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return _resident_kb(pid)
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon", "Pss_Shm")))


def _resident_kb(pid: int) -> int:
    """For a process that lets nobody look closer: what it shares with its parent counts, too."""
    try:
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * _PAGE_KB
