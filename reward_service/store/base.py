"""
A place for bytes under a key, for a while.

Everything that outlives a request is built on these few operations, so that it behaves the same in
one process and in many.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Store(Protocol):
    """Raises Overloaded when full and BrokerError when out of reach. Times are in seconds."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes see it, and it outlives this one."""
        ...

    async def now_s(self) -> float:
        """A clock that all who see this store share."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Those of the keys that hold something."""
        ...

    async def put_many(self, values: Mapping[str, bytes], *, kept_s: float) -> None:
        """Keep each value, whatever was there."""
        ...

    async def claim(self, key: str, value: bytes, *, kept_s: float) -> bool:
        """Keep the value if the key holds nothing; False if it does."""
        ...

    async def renew(self, key: str, *, kept_s: float) -> bool:
        """Keep what the key holds for longer; False if it holds nothing."""
        ...

    async def delete(self, key: str) -> bool:
        """Forget it; False if the key held nothing."""
        ...

    async def append(self, key: str, lines: Sequence[bytes], *, kept_s: float) -> None:
        """Add lines to the end of a list."""
        ...

    async def lines(self, key: str, start: int, count: int) -> list[bytes]:
        """At most `count` lines of a list from `start` on; none if there is no such list."""
        ...

    async def join(self, name: str, member: str) -> None:
        """Add to a set."""
        ...

    async def part(self, name: str, member: str) -> None:
        """Remove from a set."""
        ...

    async def members(self, name: str) -> set[str]:
        """The whole set."""
        ...
