"""
What does the work: the pool, the sandbox, and the loops that bring them jobs.

It runs inside the service (queue in memory) or in a process of its own that joined a shared queue.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from reward_service.broker.base import Broker
from reward_service.chunks import Done, Evaluation
from reward_service.pool import Pool
from reward_service.programs import Programs
from reward_service.sandboxes import make_sandbox
from reward_service.settings import Settings
from reward_service.worker import Worker


@dataclass(frozen=True, slots=True)
class Workshop:
    """A running one. `serving` ends when the broker has no more leases."""

    programs: Programs
    serving: asyncio.Task[None]


def capacity(settings: Settings) -> dict[str, int]:
    """How many jobs of each kind a workshop has in hand at a time."""
    chunks = {"pool": 2 * settings.pool_workers} if settings.serves != "programs" else {}
    programs = {"sandbox": settings.sandbox_slots} if _has_sandbox(settings) else {}
    return chunks | programs


@asynccontextmanager
async def run_workshop(
    settings: Settings, broker: Broker[Evaluation, Done], *, is_alone: bool
) -> AsyncIterator[Workshop]:
    """Start it; stop it and remove all its processes and containers at the end.

    The sandbox comes up in the background. Where this workshop is alone, programs are answered
    meanwhile: with an error, once a start has failed. Where others share the queue they are left
    to those.
    """
    pool = Pool(
        workers=settings.pool_workers,
        cpu_s=settings.math_cpu_s,
        wall_s=settings.math_wall_s,
        memory_mb=settings.pool_memory_mb,
    )
    programs = Programs(partial(make_sandbox, settings) if _has_sandbox(settings) else None)
    worker = Worker(broker, pool, programs, is_alone=is_alone)
    try:
        if "pool" in capacity(settings):
            await pool.start()
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(programs.keep_up())
            serving = group.create_task(_serve(settings, worker, None if is_alone else keeper))
            yield Workshop(programs, serving)
            keeper.cancel()
            serving.cancel()
    finally:
        await programs.close()
        await pool.close()


async def _serve(settings: Settings, worker: Worker, keeper: asyncio.Task[None] | None) -> None:
    kinds = capacity(settings)
    async with asyncio.TaskGroup() as group:
        if "pool" in kinds:
            group.create_task(worker.serve_pool(kinds["pool"]))
        if keeper is None:  # nobody else would tell that there is no sandbox
            group.create_task(worker.serve_sandbox(settings.sandbox_slots, is_alone=True))
        elif "sandbox" in kinds:
            await asyncio.wait((keeper,))
            group.create_task(worker.serve_sandbox(kinds["sandbox"], is_alone=False))


def _has_sandbox(settings: Settings) -> bool:
    return settings.sandbox_backend != "off" and settings.serves != "rules"
