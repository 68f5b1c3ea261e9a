"""
Rules in processes that can be killed in the middle of sympy.

Theory of operation: a fork server imports the heavy packages once; every worker process is a
fork of it, ready within a tenth of a second. A process gets one attempt at a time over a socket
and answers in JSON; nothing it says is unpickled. Each attempt has a CPU-time limit (the kernel
ends the process), a wall-clock limit and the caller's deadline (we kill it). An attempt that takes
long gives its turn back, so that the neighbours behind it go on: it continues at lower priority
beside them, or, where enough others do so already, is killed and begun again when one has ended.

This protects from hangs, crashes and memory blow-ups, not from malicious code: rules never
execute what the model wrote.
"""

import asyncio
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess

import structlog

from reward_service.chunks import Evaluation, time_left
from reward_service.errors import PoolError
from reward_service.pool_process import Limits, work
from reward_service.verdicts import Failure, Outcome, load_outcome

log = structlog.stdlib.get_logger("reward_service.pool")

SLOW_AFTER_S = 0.3  # 99 % of the pairs in the labelled math data take less CPU than this
SLOW_PER_WORKER = 4
SLOW_WAITING_PER_WORKER = 256  # attempts; beyond it, chunks with slow ones keep others waiting
RECYCLE_AFTER = 5_000  # sympy's caches grow by some kB an answer
TRIES = 3

PutAside = Callable[[], None]


class _Died(Exception):
    """The worker process ended under an attempt; `exit_code` as multiprocessing gives it."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


@dataclass(slots=True, eq=False)
class _Process:
    process: ForkServerProcess
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    done: int = 0
    is_fit: bool = True
    """It owes no answer, and runs at its first priority."""
    is_slow: bool = False
    _size: int | None = None

    async def ask(self, evaluation: Evaluation) -> None:
        self.is_fit = False
        self._size = None
        call = (evaluation.verifier, evaluation.params, evaluation.attempt)
        frame = pickle.dumps(call)
        try:
            self.writer.write(struct.pack("!I", len(frame)) + frame)
            await self.writer.drain()
        except OSError as error:
            raise await self._death() from error

    async def answer(self, *, within_s: float) -> Outcome | None:
        """None if there is none yet; may be called again then."""
        try:
            async with asyncio.timeout(within_s):
                if self._size is None:
                    (self._size,) = struct.unpack("!I", await self.reader.readexactly(4))
                answer = load_outcome(await self.reader.readexactly(self._size))
        except TimeoutError:
            return None
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise await self._death() from error
        self.done += 1
        self.is_fit = not self.is_slow
        return answer

    def give_way(self) -> None:
        """Go on at lower priority; for good, since only root may raise it again."""
        self.is_slow = True
        if self.process.pid is not None:
            _renice(self.process.pid)

    async def _death(self) -> _Died:
        await asyncio.to_thread(self.process.join, 1.0)
        return _Died(self.process.exitcode)

    def kill(self) -> None:
        self.writer.close()
        self.process.kill()


class Pool:
    """`workers` killable processes; see the module for how."""

    def __init__(self, *, workers: int, cpu_s: float, wall_s: float, memory_mb: int) -> None:
        self._workers = workers
        self._wall_s = wall_s
        self._limits = Limits(cpu_s=cpu_s, memory_mb=memory_mb)
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._turns = asyncio.Semaphore(workers)
        self._slow = asyncio.Semaphore(SLOW_PER_WORKER * workers)
        self._waiting = 0
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    async def start(self) -> None:
        """Import the heavy packages and start the processes. PoolError when they cannot start."""
        # `__main__` too, or every process would import the caller's script again
        self._context.set_forkserver_preload(["__main__", "reward_service.preload"])
        for _ in range(self._workers):
            self._idle.append(await self._spawn())

    async def close(self) -> None:
        """Kill every process, busy or idle."""
        for process in list(self._all):
            self._discard(process)

    async def apply(
        self, evaluation: Evaluation, *, deadline: float, put_aside: PutAside
    ) -> tuple[Outcome, float]:
        """Apply one rule; the outcome, and the seconds it ran.

        `deadline` is on the monotonic clock; whatever happens, there is an outcome by then.
        `put_aside` is called when the attempt turns out to be slow, so that others may be sent
        meanwhile.
        """
        started: list[float] = []
        outcome = await self._apply(evaluation, deadline, started, put_aside)
        return outcome, time.monotonic() - started[-1] if started else 0.0

    async def _apply(
        self, evaluation: Evaluation, deadline: float, started: list[float], put_aside: PutAside
    ) -> Outcome:
        for tries_left in reversed(range(TRIES)):
            try:
                async with asyncio.timeout(time_left(deadline)):
                    return await self._apply_once(evaluation, started, put_aside)
            except TimeoutError:
                return Failure("deadline_exceeded", "pool", "the deadline passed", retryable=True)
            except _Died as death:
                log.warning("pool_process_died", exit_code=death.exit_code, tries_left=tries_left)
                if death.exit_code == -signal.SIGXCPU:
                    limit = f"more than {self._limits.cpu_s:g} s of CPU time"
                    return Failure(
                        "verifier_timeout", "pool", f"{evaluation.verifier} took {limit}"
                    )
            except PoolError:  # the fork server may have died, and the next spawn starts it anew
                log.warning("pool_process_not_started", tries_left=tries_left)
                if not tries_left:
                    raise
        message = "the worker process died under this item, each time"
        return Failure("worker_died", "pool", message, retryable=True, attempts=TRIES)

    async def _apply_once(
        self, evaluation: Evaluation, started: list[float], put_aside: PutAside
    ) -> Outcome:
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._turns)
            async with self._borrowed(evaluation, started) as process:
                outcome = await process.answer(within_s=SLOW_AFTER_S)
                if outcome is not None:
                    return outcome
                if self._waiting < SLOW_WAITING_PER_WORKER * self._workers:
                    put_aside()
                if not self._slow.locked():
                    async with self._slow:
                        await turn.aclose()
                        return await self._slowly(process)
        self._waiting += 1
        try:  # from the beginning: rules are pure, and its process had to go
            async with self._slow, self._borrowed(evaluation, started) as process:
                return await self._slowly(process)
        finally:
            self._waiting -= 1

    async def _slowly(self, process: _Process) -> Outcome:
        process.give_way()
        outcome = await process.answer(within_s=self._wall_s)
        if outcome is not None:
            return outcome
        # The CPU limit did not end it, so it waited for the machine: not the item's fault.
        message = f"no answer within {self._wall_s:g} s"
        return Failure("verifier_timeout", "pool", message, retryable=True)

    @asynccontextmanager
    async def _borrowed(
        self, evaluation: Evaluation, started: list[float]
    ) -> AsyncIterator[_Process]:
        """A process that was asked; killed afterwards if it has not answered."""
        process = await self._take()
        try:
            started.append(time.monotonic())
            await process.ask(evaluation)
            yield process
        finally:
            self._give_back(process)

    async def _take(self) -> _Process:
        while self._idle:
            process = self._idle.pop()
            if process.process.is_alive():
                return process
            self._discard(process)
        return await self._spawn()

    def _give_back(self, process: _Process) -> None:
        full = len(self._idle) >= self._workers
        if process.is_fit and not full and process.done < RECYCLE_AFTER:
            self._idle.append(process)
        else:
            self._discard(process)

    def _discard(self, process: _Process) -> None:
        self._all.discard(process)
        process.kill()

    async def _spawn(self) -> _Process:
        ours, theirs = socket.socketpair()
        try:
            process = self._context.Process(target=work, args=(theirs, self._limits), daemon=True)
            await asyncio.to_thread(process.start)  # waits for the fork server, not for the CPU
        except (OSError, EOFError) as error:
            ours.close()
            raise PoolError(f"no worker process could be started: {error}") from error
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        spawned = _Process(process, reader, writer)
        self._all.add(spawned)
        return spawned


def _renice(pid: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 10)
    except OSError:  # it has just ended
        return
