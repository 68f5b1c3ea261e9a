"""
The process that serves: one engine, one uvicorn server inside it.

Order of life: bind the port, start the engine, listen; on SIGTERM stop listening, finish what is
in flight, close the engine. The engine is the outer one, so that when a part of it fails the
process ends instead of serving without it, and a supervisor starts it anew.
"""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
import uvloop
from fastapi import FastAPI

from reward_service.api.app import create_app
from reward_service.api.connection import connection_class
from reward_service.api.keys import ApiKey, load_keys
from reward_service.compat.labels import Labels
from reward_service.engine import run_engine
from reward_service.settings import BadSettings, Settings, check_binding
from reward_service.telemetry import configure_logging
from reward_service.tracing import tracing

KEEP_ALIVE_S = 75  # above the 60 s after which load balancers drop an idle connection themselves


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises BadSettings when it cannot start as configured."""
    check_binding(settings)
    keys = load_keys(settings)
    Labels(settings.data_sources)  # refused here, and not when the engine has started
    configure_logging(settings.log_level, settings.log_format)
    _allow_many_connections()
    with (
        tracing(settings, "rulegrade-api"),
        bind(settings, settings.port, "port") as listener,
        contextlib.suppress(asyncio.CancelledError),
    ):
        uvloop.run(_serve(settings, keys, listener))


async def _serve(settings: Settings, keys: Sequence[ApiKey], listener: socket.socket) -> None:
    stop = _Stop()
    async with run_engine(settings) as engine:
        app = create_app(settings, engine, keys)
        spare_collections()
        stop.server = Server(_config(settings, app))
        await stop.server.serve(sockets=[listener])


def _config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=connection_class(settings.client_timeout_s),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # the envelope logs each request once, with its id
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.drain_s,
    )


def spare_collections() -> None:
    """Look for cyclic garbage among what requests leave, and not in what was loaded at the start:
    100,000 objects, which took a tenth of the CPU time and 0.1 s at a stretch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to its owner and says where it listens."""

    says = "rulegrade listens on"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"{self.says} http://{_bracketed(host)}:{port}", flush=True)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # uvicorn's own would die of SIGTERM before the engine has removed its containers


class _Stop:
    """What SIGTERM and SIGINT do: cancel the start, then drain, then stop at once."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self._task = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        if self.server is None and self._task:
            self._task.cancel()
        elif self.server:
            self.server.force_exit = self.server.should_exit
            self.server.should_exit = True


def bind(settings: Settings, port: int, name: str) -> socket.socket:
    """The port of the setting `name`, bound first, so that a taken one is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, port, type=socket.SOCK_STREAM
        )[0]
        # With the protocol named asyncio sets TCP_NODELAY; without, every answer waits 40 ms.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise BadSettings(
            f"{name}: cannot listen on {settings.host} port {port}: {error.strerror}. "
            f"Choose another with --{name.replace('_', '-')} or RULEGRADE_{name.upper()}."
        ) from error
    return listener


def _allow_many_connections() -> None:
    """Take as many file descriptors as the machine gives; 1,024 is a common first limit, and each
    waiting client holds one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # where `hard` is no number, as on macOS
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
