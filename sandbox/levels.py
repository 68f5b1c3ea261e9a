"""
How much isolation is in force, from most to least. A service says which it has at least.

Every level has all namespaces, both system call filters and a root of its own; where one of those
cannot be had there is no level at all, and no program runs.
"""

from typing import Literal, get_args

from sandbox.base import SandboxUnavailable

Level = Literal["full", "rlimits"]
"""`full`: a cgroup bounds what all processes of a slot take together. `rlimits`: there is none;
limits of each process and a look at the tree every 20 ms stand in for it, so that for a moment a
bomb can take more of the host's memory and CPU than its limit says."""

LEVELS: tuple[Level, ...] = get_args(Level)


def level_of(limits: str) -> Level:
    """The level of a slot whose agent says this of how it measures."""
    return "full" if limits.startswith("cgroup") else "rlimits"


def require(level: Level, minimum: Level, why: str) -> None:
    """SandboxUnavailable if `level` is below `minimum`; `why` says how to get more."""
    if LEVELS.index(level) > LEVELS.index(minimum):
        raise SandboxUnavailable(f"isolation is {level} here, and {minimum} is required: {why}")
