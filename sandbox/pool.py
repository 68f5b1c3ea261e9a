"""
The pool: slots that are always replaced, lent to one caller at a time, first come first served.

A slot is one place where one program runs at a time. What a slot is made of (a container, a plain
process) is the affair of whoever makes them; the pool sees to it that there are always enough, and
that making and removing one never stands in the way of a caller.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from sandbox.base import DeadlineExceeded, Program, SandboxError, SandboxUnavailable
from sandbox.builds import Builds
from sandbox.idle import IdleSlots
from sandbox.session import Session, Slot

log = logging.getLogger(__name__)

PROGRAMS_PER_SLOT = 2000
"""A slot is replaced after so many programs, so that nothing a kernel leaks can pile up."""

RETRY_S = (0.5, 2.0, 10.0)
"""Pauses between attempts to replace a slot; the last one repeats."""


class SlotPool:
    """Keeps `size` slots alive from `start` to `close`."""

    def __init__(self, make: Callable[[], Awaitable[Slot]], size: int) -> None:
        self._make = make
        self._size = size
        self.builds = Builds()
        self._idle = IdleSlots()
        self._retired: dict[Slot, asyncio.Event] = {}
        self._programs: dict[Slot, int] = {}
        self._loneliness = asyncio.Lock()
        self._trouble: SandboxError | None = None
        self._closing = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why no program can be run at present; None while a slot is in service or on its way."""
        if self._supervisor is None or self._supervisor.done() or self._closing.is_set():
            return "the sandbox is not running"
        if self._trouble is not None and not self._retired:
            return f"no slot could be replaced: {self._trouble}"
        return None

    async def start(self) -> None:
        """Make every slot, or raise what stood in the way of the first that failed."""
        made = await asyncio.gather(
            *(self._make() for _ in range(self._size)), return_exceptions=True
        )
        slots = [slot for slot in made if not isinstance(slot, BaseException)]
        failures = [error for error in made if isinstance(error, BaseException)]
        if failures:
            for slot in slots:
                await slot.close()
            raise failures[0]
        self._supervisor = asyncio.create_task(self._supervise(slots), name="sandbox-pool")

    async def close(self) -> None:
        """Remove every slot; what still runs in them is killed."""
        self._closing.set()
        for retired in self._retired.values():
            retired.set()
        if self._supervisor is not None:
            await self._supervisor
            self._supervisor = None

    @asynccontextmanager
    async def session(
        self, program: Program, *, deadline: float, is_alone: bool = False
    ) -> AsyncIterator[Session]:
        """A slot for `program`, with `is_alone` while no other slot of this pool runs anything.

        `deadline` is on `time.monotonic()`. Raises DeadlineExceeded if no slot is free in time.
        """
        async with AsyncExitStack() as stack:
            claim = await stack.enter_async_context(self.builds.claim(program, deadline))
            if is_alone:
                await stack.enter_async_context(self._loneliness)
            slots = [
                await stack.enter_async_context(self._lease(deadline))
                for _ in range(self._size if is_alone else 1)
            ]
            yield Session(slots[0], program, deadline, claim=claim, builds=self.builds)

    @property
    def spare(self) -> int:
        """Slots that stand idle and that nobody waits for."""
        return 0 if self._loneliness.locked() else len(self._idle)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a slot."""
        return self._idle.is_wanted

    @asynccontextmanager
    async def borrow(self, program: Program, *, deadline: float) -> AsyncIterator[Session | None]:
        """A spare slot in which `program` need not be compiled, or None at once.

        Who borrows gives the slot back when it `is_wanted`.
        """
        if not self.spare or not self.builds.holds(program):
            yield None
            return
        async with (
            self._lent(self._idle.take()) as slot,
            self.builds.claim(program, deadline) as claim,
        ):
            yield Session(slot, program, deadline, claim=claim, builds=self.builds)

    @asynccontextmanager
    async def _lease(self, deadline: float) -> AsyncIterator[Slot]:
        async with self._lent(await self._take(deadline)) as slot:
            yield slot

    @asynccontextmanager
    async def _lent(self, slot: Slot) -> AsyncIterator[Slot]:
        try:
            yield slot
        finally:
            self._programs[slot] = self._programs.get(slot, 0) + 1
            if slot.is_usable and self._programs[slot] < PROGRAMS_PER_SLOT:
                self._idle.put(slot)
            else:
                self._retire(slot)

    async def _take(self, deadline: float) -> Slot:
        if (trouble := self.trouble) is not None:
            raise SandboxUnavailable(trouble)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                while not (slot := await self._idle.wait()).is_usable:
                    self._retire(slot)
        except TimeoutError:
            raise DeadlineExceeded("no slot was free before the deadline") from None
        return slot

    def _retire(self, slot: Slot) -> None:
        self._programs.pop(slot, None)
        if slot in self._retired:  # not so when the pool was closed meanwhile
            self._retired[slot].set()

    async def _supervise(self, slots: list[Slot]) -> None:
        async with asyncio.TaskGroup() as group:
            for slot in slots:
                group.create_task(self._keep(slot))

    async def _keep(self, slot: Slot | None) -> None:
        """Have one slot in service at any time, beginning with `slot`."""
        while slot is not None:
            retired = self._retired[slot] = asyncio.Event()
            if not self._closing.is_set():
                self._idle.put(slot)
                await retired.wait()
            del self._retired[slot]
            await slot.close()
            slot = await self._replacement()

    async def _replacement(self) -> Slot | None:
        """Another slot, however long it takes; None once the pool is closing."""
        attempt = 0
        while not self._closing.is_set():
            try:
                slot = await self._make()
            except SandboxError as error:
                self._trouble = error
                log.warning("sandbox slot could not be replaced: %s", error)
                await self._pause(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            else:
                self._trouble = None
                return slot
        return None

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
