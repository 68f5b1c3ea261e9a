"""
What one process and all below it have used, of the many in a container.

The cgroup counts everything together; in a pair of runs it has to be told apart. Only for trees
that are trusted: a process that ignores SIGCHLD hides what its children used.
"""

import os
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024

PARENT, TIMES, THREADS, PAGES = 1, slice(11, 15), 17, 21
"""Fields of /proc/PID/stat, counted from the state of the process."""


def used_below(root: int) -> tuple[float, int]:
    """CPU time in ms, and resident memory in KiB, of process `root` and its descendants."""
    processes = {pid: known for pid in pids() if (known := fields(pid))}
    found = {root}
    for pid in sorted(processes):  # parents mostly come first; a second look finds the others
        found |= {pid} if int(processes[pid][PARENT]) in found else set()
    for pid, known in processes.items():
        found |= {pid} if int(known[PARENT]) in found else set()
    tree = [processes[pid] for pid in found if pid in processes]
    ticks = sum(int(value) for known in tree for value in known[TIMES])
    return ticks * TICK_MS, sum(int(known[PAGES]) for known in tree) * PAGE_KB


def pids() -> list[int]:
    """Every process here."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def fields(pid: int) -> list[str]:
    """Of /proc/PID/stat from the state on, empty if it has ended: the name may hold anything."""
    try:
        text = Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # ended since
        return []
    return text.rpartition(")")[2].split()
