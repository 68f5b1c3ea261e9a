"""
Slots that stand idle, and those who wait for one: first come, first served.

`asyncio.Queue` wakes who has waited longest, but lets anybody who asks in the meantime take what
that one was woken for: a few callers that come back at once would keep all others waiting for good.
"""

import asyncio
from collections import deque

from sandbox.session import Slot


class IdleSlots:
    """A line of slots, or of those who wait for one."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._line: deque[asyncio.Future[Slot]] = deque()

    def __len__(self) -> int:
        """How many slots nobody has asked for."""
        return len(self._slots)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for one."""
        return any(not waiter.done() for waiter in self._line)

    def put(self, slot: Slot) -> None:
        """Hand `slot` to who has waited longest, if anybody has."""
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(slot)
                return
        self._slots.append(slot)

    def take(self) -> Slot:
        """One that stands idle; IndexError if there is none."""
        return self._slots.popleft()

    async def wait(self) -> Slot:
        """The next one, in turn."""
        if self._slots:
            return self.take()
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # handed over to one who was leaving
                self.put(waiter.result())
            raise
