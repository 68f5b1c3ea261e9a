"""
A cgroup for each slot, below the service's own, so that what limits the service limits its slots.

As root that works everywhere; as a plain user where the host has delegated a part of its tree, for
example to `systemd-run --user --scope`. Where it does not work the level says so, see levels.py.
"""

import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_V1_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
_V2_CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD_US = 100_000
_NAME = re.compile(r"rulegrade-(\d+)-\d+")
REMOVAL_TRIES = 200
_COUNTER = itertools.count()


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """What all processes of a slot may take together."""

    memory_mb: int
    cpus: float
    pids: int


def make_cgroup(limits: SlotLimits) -> dict[str, Path]:
    """Directory by controller of a fresh cgroup with `limits`; none where the host allows none.

    With version 2 there is one directory, and its key is empty.
    """
    name = f"rulegrade-{os.getpid()}-{next(_COUNTER)}"
    for make in (_make_v2, _make_v1):
        with contextlib.suppress(OSError):
            if made := make(name, limits):
                return made
    return {}


def remove(made: Iterable[Path]) -> None:
    """Remove a slot's directories, if its keeper could not; waits a moment for its processes."""
    for directory in made:
        for _ in range(REMOVAL_TRIES):
            _remove(directory)
            if not directory.exists():
                break
            time.sleep(0.01)


def remove_leftovers() -> None:
    """Remove the cgroups of services that were killed together with the keepers of their slots."""
    for parent in {*_v1_parents().values(), *_v2_parents()}:
        for child in parent.glob("rulegrade-*"):
            name = _NAME.fullmatch(child.name)
            if name and not Path("/proc", name[1]).exists():
                _remove(child)


def _remove(directory: Path) -> None:
    with contextlib.suppress(OSError):  # a cgroup with processes cannot be removed
        directory.rmdir()


def _make_v1(name: str, limits: SlotLimits) -> dict[str, Path] | None:
    parents = _v1_parents()
    if not parents.keys() >= set(_V1_CONTROLLERS):
        return None
    made = {controller: parents[controller] / name for controller in _V1_CONTROLLERS}
    _fill(
        made,
        {
            "memory/memory.limit_in_bytes": limits.memory_mb << 20,
            "memory/memory.memsw.limit_in_bytes": limits.memory_mb << 20,
            "pids/pids.max": limits.pids,
            "cpu/cpu.cfs_period_us": _PERIOD_US,
            "cpu/cpu.cfs_quota_us": int(limits.cpus * _PERIOD_US),
        },
    )
    return made


def _make_v2(name: str, limits: SlotLimits) -> dict[str, Path] | None:
    for parent in _v2_parents():
        enabled = parent / "cgroup.subtree_control"
        with contextlib.suppress(OSError):
            enabled.write_text(" ".join(f"+{controller}" for controller in _V2_CONTROLLERS))
        try:
            if {"memory", "pids"} <= set(enabled.read_text().split()):
                made = {"": parent / name}
                _fill(
                    made,
                    {
                        "/memory.max": limits.memory_mb << 20,
                        "/memory.swap.max": 0,
                        "/pids.max": limits.pids,
                        "/cpu.max": f"{int(limits.cpus * _PERIOD_US)} {_PERIOD_US}",
                    },
                )
                return made
        except OSError:
            continue
    return None


def _fill(made: Mapping[str, Path], values: Mapping[str, int | str]) -> None:
    """Make the directories and write each value to CONTROLLER/FILE where there is such a file."""
    try:
        for directory in made.values():
            directory.mkdir(exist_ok=True)
        for place, value in values.items():
            controller, _, file = place.partition("/")
            path = made[controller] / file
            if path.exists():  # swap is not counted everywhere, CPU time not delegated everywhere
                path.write_text(str(value))
    except OSError:
        for directory in made.values():
            _remove(directory)
        raise


def _v1_parents() -> dict[str, Path]:
    """The service's own cgroup of each controller of version 1."""
    own = paths_of()
    return {
        controller: parent
        for options, root, mount in _mounts("cgroup")
        for controller in options
        if controller in own and (parent := _below(mount, root, own[controller])).is_dir()
    }


def _v2_parents() -> list[Path]:
    """The service's own cgroup of version 2 and those above it, the nearest first.

    One that has processes of its own can have no children with limits, but those above it can.
    """
    for _, root, mount in _mounts("cgroup2"):
        path = _below(mount, root, paths_of().get("", "/"))
        above = [path, *path.parents]
        return [place for place in above if place.is_relative_to(mount) and place.is_dir()]
    return []


def paths_of(process: int | str = "self") -> dict[str, str]:
    """Path by controller of the cgroups that a process lives in; version 2 has the empty key."""
    lines = Path("/proc", str(process), "cgroup").read_text().splitlines()
    fields = [line.split(":", 2) for line in lines]
    return {controller: path for _, names, path in fields for controller in names.split(",")}


def _mounts(kind: str) -> Iterator[tuple[list[str], str, Path]]:
    """Options, root and place of every mount of this kind of file system."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        found, _, options = after.split(" ")
        if found == kind:
            yield options.split(","), before.split()[3], Path(before.split()[4])


def _below(mount: Path, root: str, path: str) -> Path:
    """Where the cgroup `path` is, in a mount that shows the tree from `root` on."""
    relative = os.path.relpath(path, root) if root.startswith("/") else path.lstrip("/")
    return mount if relative.startswith("..") else mount / relative
