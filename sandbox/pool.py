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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from sandbox.base import (
    COMPILE_LIMITS,
    DeadlineExceeded,
    Limits,
    LinkKind,
    Pair,
    Program,
    Roles,
    Run,
    SandboxError,
    SandboxUnavailable,
    Side,
    Status,
)
from sandbox.builds import Builds, Claim

log = logging.getLogger(__name__)

PROGRAMS_PER_SLOT = 2000
"""A slot is replaced after so many programs, so that nothing a kernel leaks can pile up."""

RETRY_S = (0.5, 2.0, 10.0)
"""Pauses between attempts to replace a slot; the last one repeats."""


class Slot(Protocol):
    """One place to run programs, one at a time. A failed or cancelled call leaves it unusable."""

    @property
    def is_usable(self) -> bool:
        """Whether it can take another program."""

    async def compile(
        self,
        program: Program,
        limits: Limits,
        *,
        deadline: float,
        side: Side = "program",
        built: bytes | None = None,
    ) -> Run:
        """Make `program` ready to run; COMPILE_ERROR with the messages if it does not build.

        `files` of the answer hold what was built, and `built` is that of an earlier answer.
        Both sides of a pair stay loaded; loading a program unloads the judge of the last one.
        A run that `was_starved` says nothing about the program.
        """

    async def run(
        self,
        inputs: Sequence[bytes],
        limits: Limits,
        *,
        deadline: float,
        call: str | None = None,
        files: Mapping[str, bytes] | None = None,
        is_failure_last: bool = False,
    ) -> list[Run]:
        """Run what was compiled last on each input, each time in a fresh jail with `files` in it.

        With `call`, call its function of that name on the JSON in the input instead. Fewer runs
        than inputs come back if the last one was stopped, or failed and `is_failure_last`, or if
        they have printed megabytes.
        """

    async def run_pair(
        self,
        stdin: bytes,
        limits: Limits,
        *,
        deadline: float,
        link: LinkKind = "socket",
        roles: Roles = Roles(),  # noqa: B008 (frozen)
        files: Mapping[str, bytes] | None = None,
    ) -> Pair:
        """Run the program and the judge that were compiled last, at once, with a link between.

        The judge alone gets `stdin`, `files` beside it, and descriptor 3 to hand out its result.
        `limits` are the program's; the judge has JUDGE_LIMITS.
        """

    async def stop(self) -> None:
        """Stop the runs that are under way. Those that were over count; RunStopped if none was."""

    async def close(self) -> None:
        """Kill and remove it."""


class Session:
    """A program in a slot: compile it once, then run it as often as needed."""

    def __init__(
        self, slot: Slot, program: Program, deadline: float, *, claim: Claim, builds: Builds
    ) -> None:
        self._slot = slot
        self._program = program
        self._deadline = deadline
        self._claim = claim
        self._builds = builds

    async def compile(self, judge: Program | None = None, limits: Limits = COMPILE_LIMITS) -> Run:
        """OK, or COMPILE_ERROR with the compiler's messages in `stderr`; see `Slot.compile`.

        With `judge`, that program is made ready for the judge's side, beside ours. What was
        compiled before, in whichever slot, is not compiled again.
        """
        if judge is None:
            return await self._compile(self._program, self._claim, limits, "program")
        async with self._builds.claim(judge, self._deadline) as claim:
            return await self._compile(judge, claim, limits, "judge")

    async def _compile(self, program: Program, claim: Claim, limits: Limits, side: Side) -> Run:
        done = claim.build
        if done is not None and done.status is Status.COMPILE_ERROR:
            return done
        built = next(iter(done.files.values())) if done is not None else None
        run = await self._slot.compile(
            program, limits, deadline=self._deadline, side=side, built=built
        )
        if not run.was_starved:
            claim.settle(run)
        return done or run

    async def run(
        self,
        stdin: bytes,
        limits: Limits,
        *,
        call: str | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Run:
        """One run in a jail of its own; with `call`, of one function on the JSON in `stdin`."""
        (run,) = await self._slot.run(
            [stdin], limits, deadline=self._deadline, call=call, files=files
        )
        return run

    async def run_each(
        self,
        inputs: Sequence[bytes],
        limits: Limits,
        *,
        call: str | None = None,
        is_failure_last: bool = False,
    ) -> list[Run]:
        """Several, one after the other, which saves their orders; see `Slot.run`."""
        return await self._slot.run(
            inputs, limits, deadline=self._deadline, call=call, is_failure_last=is_failure_last
        )

    async def run_pair(
        self,
        stdin: bytes,
        limits: Limits,
        *,
        link: LinkKind = "socket",
        roles: Roles = Roles(),  # noqa: B008 (frozen)
        files: Mapping[str, bytes] | None = None,
    ) -> Pair:
        """One run of program and judge in two jails; see `Slot.run_pair`."""
        return await self._slot.run_pair(
            stdin, limits, deadline=self._deadline, link=link, roles=roles, files=files
        )

    async def stop(self) -> None:
        """See `Slot.stop`."""
        await self._slot.stop()


class SlotPool:
    """Keeps `size` slots alive from `start` to `close`."""

    def __init__(self, make: Callable[[], Awaitable[Slot]], size: int) -> None:
        self._make = make
        self._size = size
        self.builds = Builds()
        self._idle: asyncio.Queue[Slot] = asyncio.Queue()
        self._retired: dict[Slot, asyncio.Event] = {}
        self._programs: dict[Slot, int] = {}
        self._waiting = 0
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
        return 0 if self._waiting or self._loneliness.locked() else self._idle.qsize()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a slot."""
        return self._waiting > 0

    @asynccontextmanager
    async def borrow(self, program: Program, *, deadline: float) -> AsyncIterator[Session | None]:
        """A spare slot in which `program` need not be compiled, or None at once.

        Who borrows gives the slot back when it `is_wanted`.
        """
        if not self.spare or not self.builds.holds(program):
            yield None
            return
        async with (
            self._lent(self._idle.get_nowait()) as slot,
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
                self._idle.put_nowait(slot)
            else:
                self._retire(slot)

    async def _take(self, deadline: float) -> Slot:
        if (trouble := self.trouble) is not None:
            raise SandboxUnavailable(trouble)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                while not (slot := await self._idle.get()).is_usable:
                    self._retire(slot)
        except TimeoutError:
            raise DeadlineExceeded("no slot was free before the deadline") from None
        finally:
            self._waiting -= 1
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
                self._idle.put_nowait(slot)
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
