"""
What a run has used, where there is no cgroup to ask: its processes are looked at one by one.

Less exact than a cgroup. Files in /box and /tmp do not count, and the CPU time of a process that
came and went between two looks counts only if its parent waited for it.
"""

from collections.abc import Container
from pathlib import Path

from sandbox.agent import tree


class TreeMeter:
    """CPU time and memory of this pid namespace, that of `agents` left out of the memory."""

    name = "no cgroup"

    def __init__(self, agents: Container[int]) -> None:
        self._agents = agents
        self._last_ms = 0.0
        self._lost_ms = 0.0

    def cpu_ms(self) -> float:
        """CPU time of all that was ever seen here, in ms; never less than before.

        What a killed tree had used is lost with it; what was seen of it is remembered.
        """
        found_ms = sum(map(_cpu_ms, tree.pids()))
        self._lost_ms += max(0.0, self._last_ms - found_ms)
        self._last_ms = found_ms
        return found_ms + self._lost_ms

    def memory_kb(self) -> int:
        """Memory of all runs, what their processes share counted once."""
        return sum(_memory_kb(pid) for pid in tree.pids() if not self._is_ours(pid))

    def processes(self) -> int:
        """How many processes and threads live here."""
        return sum(int(known[tree.THREADS]) for pid in tree.pids() if (known := tree.fields(pid)))

    def oom_kills(self) -> int:
        """Unknown without a cgroup."""
        return 0

    def _is_ours(self, pid: int) -> bool:
        # A jail's init is an agent's child and shares its memory.
        known = tree.fields(pid)
        return pid in self._agents or not known or int(known[tree.PARENT]) in self._agents


def _cpu_ms(pid: int) -> float:
    return sum(map(int, tree.fields(pid)[tree.TIMES])) * tree.TICK_MS


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
    return (resident - shared) * tree.PAGE_KB
