"""
What one process and all below it have used, of the many in a container.

The cgroup counts everything together; in a pair of runs it has to be told apart. Only for trees
that are trusted: a process that ignores SIGCHLD hides what its children used.
"""

import os
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024

_PARENT, _TIMES, _PAGES = 1, slice(11, 15), 21
"""Fields of /proc/PID/stat, counted from the state of the process."""


def used_below(root: int) -> tuple[float, int]:
    """CPU time in ms, and resident memory in KiB, of process `root` and its descendants."""
    processes = {pid: fields for pid in _pids() if (fields := _fields(pid))}
    found = {root}
    for pid in sorted(processes):  # parents mostly come first; a second look finds the others
        found |= {pid} if int(processes[pid][_PARENT]) in found else set()
    for pid, fields in processes.items():
        found |= {pid} if int(fields[_PARENT]) in found else set()
    tree = [processes[pid] for pid in found if pid in processes]
    ticks = sum(int(value) for fields in tree for value in fields[_TIMES])
    return ticks * _TICK_MS, sum(int(fields[_PAGES]) for fields in tree) * _PAGE_KB


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _fields(pid: int) -> list[str]:
    try:
        text = Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # ended since
        return []
    return text.rpartition(")")[2].split()
