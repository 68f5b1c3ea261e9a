"""
How long the host kept a run from its work.

The kernel counts how long a thread was ready to run and did not; but so does one whose own siblings
were running. What the host took is at most the time in which nothing of the container ran.
"""

import os
from collections.abc import Container
from pathlib import Path

from sandbox.agent import tree

WINDOW_MS = 200.0
"""What is compared at once: two of the periods in which the kernel deals out CPU time to
a container. A program with several threads may have used up that of each after half of it."""


class Starvation:
    """Counts from when it is made; to be looked at now and then."""

    def __init__(self, agents: Container[int]) -> None:
        self._agents = agents
        self._wall_ms = self._cpu_ms = self._waited_ms = 0.0
        self.total_ms = 0.0
        """So far."""

    def look(self, wall_ms: float, cpu_ms: float, *, is_due: bool = False) -> None:
        """Take in what passed since the last look, if a window has, or it `is_due` anyway.

        Both are counted from the beginning of the run; `cpu_ms` is that of all processes here.
        """
        passed_ms = wall_ms - self._wall_ms
        if passed_ms < WINDOW_MS and not is_due:
            return
        waited_ms = _waited_ms(self._agents)
        idle_ms = passed_ms - (cpu_ms - self._cpu_ms)
        self.total_ms += max(0.0, min(waited_ms - self._waited_ms, idle_ms))
        self._wall_ms, self._cpu_ms, self._waited_ms = wall_ms, cpu_ms, waited_ms


def _waited_ms(agents: Container[int]) -> float:
    """How long the threads here were ready to run, and did not. What has ended is left out."""
    total = 0
    for pid in tree.pids():
        if pid in agents:
            continue
        threads = Path("/proc", str(pid), "task")
        try:
            for thread in os.listdir(threads):
                text = (threads / thread / "schedstat").read_text(encoding="ascii")
                total += int(text.split()[1])
        except OSError:  # ended since
            continue
    return total / 1e6
