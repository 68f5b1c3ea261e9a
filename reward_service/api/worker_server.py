"""
The process of `rulegrade worker`: a workshop on a shared queue, and probes beside it.

On SIGTERM it takes no more jobs, finishes those in hand within `drain_s`, and says goodbye; what it
does not finish, others take over when its leases run out.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI, Response

from reward_service.api.metrics import exposition
from reward_service.api.server import Server, bind, spare_collections
from reward_service.broker.redis_members import Member
from reward_service.broker.redis_streams import RedisBroker
from reward_service.chunks import Done, Evaluation
from reward_service.fleet import join_queue
from reward_service.settings import BadSettings, Settings
from reward_service.telemetry import configure_logging
from reward_service.tracing import tracing
from reward_service.wire_jobs import GENERATION, JobCodec
from reward_service.workshop import Workshop, capacity, run_workshop

DESCRIBE_S = 1.0

log = structlog.stdlib.get_logger("reward_service.worker")


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; raises BadSettings or BrokerError when it cannot start."""
    if settings.redis_url is None:
        raise BadSettings("redis_url: a worker needs a queue to join; set RULEGRADE_REDIS_URL")
    if not capacity(settings):
        raise BadSettings("serves: a worker for programs needs a sandbox_backend other than off")
    configure_logging(settings.log_level, settings.log_format)
    with (
        tracing(settings, "rulegrade-worker"),
        bind(settings, settings.probe_port, "probe_port") as listener,
    ):
        uvloop.run(_work(settings, listener))


async def _work(settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    member = Member(name, capacity(settings))
    broker = join_queue(settings, JobCodec(), GENERATION, member=member)
    await broker.start()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run())
            async with (
                run_workshop(settings, broker, is_alone=False) as workshop,
                _described(broker, member, workshop, listener),
            ):
                spare_collections()
                await stop.wait()
                log.info("worker_drains", worker=name)
                broker.stop_leasing()
                await asyncio.wait((workshop.serving,), timeout=settings.drain_s)
            running.cancel()
    finally:
        await broker.close()


@asynccontextmanager
async def _described(
    broker: RedisBroker[Evaluation, Done],
    member: Member,
    workshop: Workshop,
    listener: socket.socket,
) -> AsyncIterator[None]:
    """Answer probes, and tell the queue what the sandbox is like."""
    server = _Probes(_probe_config(broker, workshop))
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listener]))
        describing = group.create_task(_describe_for_ever(broker, member, workshop))
        yield
        describing.cancel()
        server.should_exit = True
        await serving


async def _describe_for_ever(
    broker: RedisBroker[Evaluation, Done], member: Member, workshop: Workshop
) -> None:
    while "sandbox" in member.capacity:
        programs = workshop.programs
        facts = {
            "state": programs.state,
            "languages": dict(programs.languages or {}),
            "isolation": dict(programs.isolation),
        }
        broker.announce(Member(member.name, member.capacity, {"sandbox": facts}))
        await asyncio.sleep(DESCRIBE_S)


class _Probes(Server):
    says = "rulegrade worker answers probes on"


def _probe_config(broker: RedisBroker[Evaluation, Done], workshop: Workshop) -> uvicorn.Config:
    app = FastAPI(openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/metrics")
    async def metrics() -> Response:
        return exposition()

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, str]:
        queue = "down: Redis does not answer" if broker.is_away else "ok"
        parts = {**workshop.programs.parts(), "queue": queue}
        is_ready = all(state in ("ok", "off") for state in parts.values())
        response.status_code = 200 if is_ready else 503
        return parts

    return uvicorn.Config(
        app, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
    )
