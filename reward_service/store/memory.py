"""The store inside one process: bounded, and gone when the process ends."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reward_service.errors import Overloaded


@dataclass(slots=True)
class _Entry:
    lines: list[bytes]
    until: float

    @property
    def size(self) -> int:
        return sum(map(len, self.lines))


class MemoryStore:
    """See `Store`. When it is full it refuses; it never drops what it took."""

    is_shared = False

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: dict[str, _Entry] = {}
        self._sets: dict[str, set[str]] = {}
        self._bytes = 0

    async def now_s(self) -> float:
        """The clock of this process, which nobody sets."""
        return time.monotonic()

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of the keys that hold something."""
        found = {key: self._find(key) for key in keys}
        return {key: entry.lines[0] for key, entry in found.items() if entry is not None}

    async def put_many(self, values: Mapping[str, bytes], *, kept_s: float) -> None:
        """Keep each value, whatever was there."""
        self._admit(sum(map(len, values.values())))
        for key, value in values.items():
            self._put(key, [value], kept_s)

    async def claim(self, key: str, value: bytes, *, kept_s: float) -> bool:
        """Keep the value if the key holds nothing."""
        if self._find(key) is not None:
            return False
        self._admit(len(value))
        self._put(key, [value], kept_s)
        return True

    async def renew(self, key: str, *, kept_s: float) -> bool:
        """Keep what the key holds for longer."""
        entry = self._find(key)
        if entry is not None:
            entry.until = time.monotonic() + kept_s
        return entry is not None

    async def delete(self, key: str) -> bool:
        """Forget it."""
        is_there = self._find(key) is not None
        self._forget(key)
        return is_there

    async def append(self, key: str, lines: Sequence[bytes], *, kept_s: float) -> None:
        """Add lines to the end of a list."""
        size = sum(map(len, lines))
        self._admit(size)
        entry = self._find(key)
        if entry is None:
            self._put(key, list(lines), kept_s)
        else:
            entry.lines.extend(lines)
            entry.until = time.monotonic() + kept_s
            self._bytes += size

    async def lines(self, key: str, start: int, count: int) -> list[bytes]:
        """At most `count` lines of a list from `start` on."""
        entry = self._find(key)
        return entry.lines[start : start + count] if entry is not None else []

    async def join(self, name: str, member: str) -> None:
        """Add to a set."""
        self._sets.setdefault(name, set()).add(member)

    async def part(self, name: str, member: str) -> None:
        """Remove from a set."""
        self._sets.get(name, set()).discard(member)

    async def members(self, name: str) -> set[str]:
        """The whole set."""
        return set(self._sets.get(name, ()))

    def _find(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.until < time.monotonic():
            self._forget(key)
            return None
        return entry

    def _put(self, key: str, lines: list[bytes], kept_s: float) -> None:
        self._forget(key)
        entry = _Entry(lines, time.monotonic() + kept_s)
        self._entries[key] = entry
        self._bytes += entry.size

    def _forget(self, key: str) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= entry.size

    def _admit(self, size: int) -> None:
        if self._bytes + size > self._max_bytes:
            now = time.monotonic()
            for key in [key for key, entry in self._entries.items() if entry.until < now]:
                self._forget(key)
        if self._bytes + size > self._max_bytes:
            raise Overloaded(
                f"no room for {size} more bytes of tasks, batches and answers", retry_after_s=30.0
            )
