"""What `rulegrade doctor` finds: one line a check."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and how to mend it."""

    name: str
    level: Level
    finding: str
    remedy: str = ""


def numbers(version: str) -> tuple[int, ...]:
    """Major and minor number of a version, to compare it by."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
