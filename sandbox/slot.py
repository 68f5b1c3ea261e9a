"""
A slot seen from the service: orders go to the agent, and facts come back.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from sandbox import commands
from sandbox.agent import frames
from sandbox.base import (
    JUDGE_LIMITS,
    DeadlineExceeded,
    LanguageMissing,
    Limits,
    LinkKind,
    Pair,
    Program,
    Roles,
    Run,
    SandboxError,
    Side,
    SlotLost,
    Status,
)
from sandbox.builds import MAX_BUILD_BYTES
from sandbox.facts import lacks_program, pair_of, run_of, runs_of
from sandbox.languages import file_names, language_named

AGENT_MEMORY_MB = 384
"""For the agent's processes, a run's output on its way, and the compiled program."""

AGENT_PIDS = 64

REPLY_GRACE_S = 20.0
"""An agent that has not answered so long after the latest end of a run is lost."""

DEADLINE_MARGIN_S = 0.2
"""The agent ends a run so long before the deadline: a container that answers is one kept."""

SOURCE_MODE = 0o444
PROGRAM_MODE = 0o555


_SIDES: tuple[Side, ...] = ("program", "judge")
"""In the order in which they are loaded."""


class Stream(Protocol):
    """A byte stream to and from an agent."""

    @property
    def is_open(self) -> bool:
        """Whether the other end is still there, as far as is known."""

    async def readexactly(self, size: int) -> bytes:
        """Exactly `size` bytes; EOFError or OSError if they do not come."""

    async def write(self, data: bytes) -> None:
        """All of `data`; OSError if it cannot be sent."""

    def last_words(self) -> str:
        """What the agent wrote to its stderr, for the log."""


class AgentSlot:
    """A slot behind an agent. `remove` takes down what it lives in."""

    def __init__(self, stream: Stream, remove: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._remove = remove
        self._is_in_step = True
        self._loaded: dict[Side, Program] = {}
        self._unsent: dict[Side, tuple[frames.Header, Sequence[bytes]]] = {}
        """What is to be loaded on the way to the next run."""
        self._stops = 0

    @property
    def is_usable(self) -> bool:
        """Whether the last order was answered and the agent is there."""
        return self._is_in_step and self._stream.is_open

    async def greet(self, *, within_s: float) -> frames.Header:
        """The agent's first frame; SlotLost if it does not come."""
        patience = time.monotonic() + within_s
        return (await self._guarded(self._receive(), patience, deadline=math.inf))[0]

    async def compile(
        self,
        program: Program,
        limits: Limits,
        *,
        deadline: float,
        side: Side = "program",
        built: bytes | None = None,
    ) -> Run:
        """Load a program for one side, compiling it if its language is and it is not `built` yet.

        What a compiler made is in the run's `files`, unless it is too large to be worth its way.
        """
        language = language_named(program.language)
        names, content = file_names(program), program.source.encode("utf-8", "surrogatepass")
        if built is not None and language.artifact is not None:
            names[0], content = language.artifact, built
        order = {
            "op": "load",
            "side": side,
            "files": names,
            "mode": SOURCE_MODE if built is None else PROGRAM_MODE,
            "command": commands.compiler(language) if built is None else None,
            "bring_bytes": MAX_BUILD_BYTES,
        }
        self._loaded[side] = program
        for unloaded in _SIDES[_SIDES.index(side) :]:
            self._unsent.pop(unloaded, None)
        blobs = (content, *program.files.values())
        if order["command"] is None:
            self._unsent[side] = order, blobs
            return Run(Status.OK)
        facts, outputs = await self._order(order, blobs, limits, deadline)
        run = run_of(facts["program"], outputs, limits)
        if run.was_starved or run.status is Status.OK:
            return run
        return replace(run, status=Status.COMPILE_ERROR, stderr=run.stderr or _why(run))

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
        """Run the loaded program on each input, one after the other, with `files` beside it."""
        files = files or {}
        program = self._program("program")
        role = None if call is None else "call"
        order = {
            "op": "run",
            "inputs": len(inputs),
            "is_failure_last": is_failure_last,
            "files": list(files),
            "outputs": program.outputs,
            "command": commands.start(program, limits, role, call or "")
            | {"has_result": call is not None},
        }
        blobs = (*inputs, *files.values())
        facts, outputs = await self._order(order, blobs, limits, deadline, runs=len(inputs))
        return runs_of(facts, outputs, limits, most=len(inputs))

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
        """Run the loaded program and the loaded judge at once, with a link between them."""
        files = files or {}
        program, judge = self._program("program"), self._program("judge")
        order = {
            "op": "run_pair",
            "link": link,
            "files": list(files),
            "command": commands.start(program, limits, roles.program, roles.argument),
            "judge": commands.start(judge, JUDGE_LIMITS, roles.judge),
            "judge_limits": asdict(JUDGE_LIMITS),
        }
        facts, outputs = await self._order(order, (stdin, *files.values()), limits, deadline)
        return pair_of(facts, outputs, limits)

    def _program(self, side: Side) -> Program:
        if side not in self._loaded:
            raise SandboxError(f"no {side} was loaded")
        return self._loaded[side]

    async def stop(self) -> None:
        """Stop the run that is under way, which then raises RunStopped if it was not over."""
        if self._is_in_step:  # none is
            return
        self._stops += 1
        with contextlib.suppress(OSError):  # whoever waits for the run will see it
            await self._stream.write(frames.encode({"op": "stop"}))

    async def close(self) -> None:
        """Take down the container with all that runs in it."""
        self._is_in_step = False
        await self._remove()

    async def _order(
        self,
        order: dict[str, Any],
        blobs: Sequence[bytes],
        limits: Limits,
        deadline: float,
        *,
        runs: int = 1,
    ) -> tuple[frames.Header, list[bytes]]:
        left_s = deadline - time.monotonic()
        if left_s <= DEADLINE_MARGIN_S:
            raise DeadlineExceeded("no time was left to run a program")
        order["limits"] = asdict(limits)
        for limited, by in (("command", "limits"), ("judge", "judge_limits")):
            if order.get(limited):
                order[by]["processes"] += order[limited]["threads"]
        order["deadline_s"] = left_s - DEADLINE_MARGIN_S
        if order["op"] != "load":
            unsent = [self._unsent.pop(side) for side in _SIDES if side in self._unsent]
            order["loads"] = [load for load, _ in unsent]
            blobs = [*(blob for _, blobs in unsent for blob in blobs), *blobs]
        longest_s = runs * frames.longest_wall_s(limits.wall_s)
        patience = min(deadline, time.monotonic() + longest_s + REPLY_GRACE_S)
        facts, outputs = await self._guarded(self._exchange(order, blobs), patience, deadline)
        if "error" in facts:
            self._is_in_step = False
            raise SlotLost(f"the agent failed: {facts['error']}")
        for side, command in (("program", order["command"]), ("judge", order.get("judge"))):
            if command and lacks_program(facts.get(side), command["argv"][0]):
                raise LanguageMissing(
                    f"the sandbox lacks {command['argv'][0]}, which this language needs"
                )
        return facts, outputs

    async def _guarded(
        self,
        exchange: Awaitable[tuple[frames.Header, list[bytes]]],
        patience: float,
        deadline: float,
    ) -> tuple[frames.Header, list[bytes]]:
        """Await an exchange; whatever ends it early leaves the slot unusable."""
        self._is_in_step = False
        try:
            async with asyncio.timeout(patience - time.monotonic()):
                result = await exchange
        except TimeoutError:
            if patience < deadline:
                raise SlotLost("the agent does not answer") from None
            raise DeadlineExceeded("a run was not over at the deadline") from None
        except (EOFError, OSError, frames.BadFrame) as error:
            words = self._stream.last_words()
            raise SlotLost(f"the agent is gone ({type(error).__name__}): {words}") from error
        self._is_in_step = True
        return result

    async def _exchange(
        self, order: frames.Header, blobs: Sequence[bytes]
    ) -> tuple[frames.Header, list[bytes]]:
        await self._stream.write(frames.encode(order, blobs))
        answer = await self._receive()
        while self._stops:  # each is answered, too
            await self._receive()
            self._stops -= 1
        return answer

    async def _receive(self) -> tuple[frames.Header, list[bytes]]:
        prefix = await self._stream.readexactly(frames.PREFIX.size)
        text = await self._stream.readexactly(frames.header_length(prefix))
        header, sizes = frames.decode_header(text)
        return header, [await self._stream.readexactly(size) for size in sizes]


def _why(run: Run) -> bytes:
    return f"the compiler ended with {run.status.value}".encode()
