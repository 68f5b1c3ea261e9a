"""
A program in a slot, and what a slot is to those who run programs there.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sandbox.base import (
    COMPILE_LIMITS,
    Limits,
    LinkKind,
    Pair,
    Program,
    Roles,
    Run,
    Side,
    Status,
)
from sandbox.builds import Builds, Claim


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
