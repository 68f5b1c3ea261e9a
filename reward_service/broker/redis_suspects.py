"""
Jobs on their last try are worked on alone.

A job that comes back again and again may be what ends its workers, or may only have been beside it.
With nothing beside it, nobody is given up for the fault of another.
"""

import asyncio


class Suspects:
    """Whose turn it is among the leases of one worker, by their tokens."""

    def __init__(self) -> None:
        self._suspects: set[str] = set()
        self._at_work: set[str] = set()
        self._alone: str | None = None
        """The suspect whose turn it is."""
        self._has_moved = asyncio.Event()

    def __contains__(self, token: str) -> bool:
        """Whether this one is on its last try."""
        return token in self._suspects

    def add(self, token: str) -> None:
        """This one is on its last try."""
        self._suspects.add(token)

    async def turn(self, token: str) -> None:
        """Wait until a lease may be worked on, which it is until `leave`."""
        if token in self._suspects:
            while self._alone is not None:
                await self._movement()
            self._alone = token
            while self._at_work:
                await self._movement()
        while self._alone not in (None, token):
            await self._movement()
        self._at_work.add(token)

    def leave(self, token: str) -> None:
        """A lease is given back, or was never worked on."""
        self._at_work.discard(token)
        self._suspects.discard(token)
        if self._alone == token:
            self._alone = None
        self._has_moved.set()

    async def _movement(self) -> None:
        self._has_moved.clear()
        await self._has_moved.wait()
