"""
The sandbox as a library: `Sandbox` for plain code, `AsyncSandbox` for code on an event loop.

    with Sandbox() as sandbox:
        print(sandbox.run("python", "print(6 * 7)").stdout)

Both take a time limit for the whole call, waiting for a slot included; limits of the program itself
are its `Limits`.
"""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox.base import Limits, Program, Run, SandboxUnavailable
from sandbox.opening import BackendName, open_backend
from sandbox.pooled import PooledSandbox
from sandbox.submission import Judgement, Submission

T = TypeVar("T")

TIMEOUT_S = 600.0
"""Longest time a call may take unless the caller says otherwise."""

_CLOSED = "the sandbox is not running: use it inside a `with` block, or between start() and close()"


class AsyncSandbox:
    """Runs and judges programs inside an `async with` block.

    `slots` programs run at a time, by default one a core; further calls wait for their turn. Wrong
    programs are data (`Run.status`, `Judgement.verdict`); a SandboxError says that we failed.
    """

    def __init__(
        self, backend: BackendName = "auto", *, slots: int | None = None, image: str | None = None
    ) -> None:
        slots = slots or os.cpu_count() or 1
        self._open = partial(open_backend, backend, slots=slots, image=image)
        self._backend: PooledSandbox | None = None

    async def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""
        if self._backend is not None:
            raise RuntimeError("the sandbox is running already")
        backend = await asyncio.to_thread(self._open)  # it may have to wait for an engine
        await backend.start()
        self._backend = backend

    async def close(self) -> None:
        """Kill what runs and remove every slot. Safe to call twice."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await backend.close()

    async def run(
        self,
        program: Program | str,
        source: str | None = None,
        *,
        stdin: bytes | str = b"",
        limits: Limits | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Run:
        """Compile and run `Program(...)`, or `source` in the language that `program` names.

        Raises SandboxError; DeadlineExceeded if that took longer than `timeout_s` in all.
        """
        deadline = time.time() + timeout_s
        return await self._running().run(
            _program(program, source), _bytes(stdin), limits, deadline=deadline
        )

    async def judge(self, submission: Submission, *, timeout_s: float = TIMEOUT_S) -> Judgement:
        """Compile and test a submission; raises as `run` does."""
        return await self._running().judge(submission, deadline=time.time() + timeout_s)

    def isolation(self) -> dict[str, str]:
        """What isolates programs here, in words."""
        return self._running().isolation()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    def _running(self) -> PooledSandbox:
        if self._backend is None:
            raise SandboxUnavailable(_CLOSED)
        return self._backend


class Sandbox:
    """`AsyncSandbox` for code without an event loop; any number of threads may call it at once.

    It works on a thread of its own. A call that is interrupted (Ctrl-C) ends its program; calls
    that are under way when another thread closes the sandbox raise SandboxUnavailable.
    """

    def __init__(
        self, backend: BackendName = "auto", *, slots: int | None = None, image: str | None = None
    ) -> None:
        self._sandbox = AsyncSandbox(backend, slots=slots, image=image)
        self._gate = threading.Lock()
        self._thread: _LoopThread | None = None

    def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""
        with self._gate:
            if self._thread is not None:
                raise RuntimeError("the sandbox is running already")
            self._thread = _LoopThread()
        try:
            self._call(self._sandbox.start())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Kill what runs and remove every slot. Safe to call twice."""
        with self._gate:  # nobody gets in behind what is cancelled below
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end(self._sandbox.close())

    def run(
        self,
        program: Program | str,
        source: str | None = None,
        *,
        stdin: bytes | str = b"",
        limits: Limits | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Run:
        """See `AsyncSandbox.run`."""
        return self._call(
            self._sandbox.run(program, source, stdin=stdin, limits=limits, timeout_s=timeout_s)
        )

    def judge(self, submission: Submission, *, timeout_s: float = TIMEOUT_S) -> Judgement:
        """See `AsyncSandbox.judge`."""
        return self._call(self._sandbox.judge(submission, timeout_s=timeout_s))

    def isolation(self) -> dict[str, str]:
        """What isolates programs here, in words."""
        return self._sandbox.isolation()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        with self._gate:
            if self._thread is None:
                work.close()
                raise SandboxUnavailable(_CLOSED)
            call = self._thread.submit(work)
        try:
            return call.result()
        except CancelledError:
            raise SandboxUnavailable("the sandbox was closed during the call") from None
        except BaseException:
            call.cancel()  # after Ctrl-C: the program must not run on for nobody
            raise


class _LoopThread:
    """An event loop on a thread of its own, and the calls that are under way on it."""

    def __init__(self) -> None:
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._calls: set[Future[Any]] = set()
        # A daemon: a program that forgets to close must be able to end; its containers end then.
        self._thread = threading.Thread(
            target=asyncio.run, args=(_until_stopped(ready),), name="sandbox", daemon=True
        )
        self._thread.start()
        self._loop, self._stop = ready.result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        call = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    def end(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel the calls, do `last`, and stop."""
        for call in list(self._calls):
            call.cancel()
        try:
            self.submit(last).result()
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()


async def _until_stopped(
    ready: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    stop = asyncio.Event()
    ready.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()


def _program(program: Program | str, source: str | None) -> Program:
    if isinstance(program, Program):
        if source is not None:
            raise TypeError("a Program holds its source")
        return program
    if source is None:
        raise TypeError("give a Program, or a language and its source")
    return Program(program, source)


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
