"""
Assembly of the HTTP service. No module-level app: whoever has settings and an engine makes one.

The engine outlives the app: `server.py` runs it around the server, so that requests in flight
finish on a running engine, and an engine that fails takes the process down.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from reward_service import __version__, tracing
from reward_service.api.body import MEGABYTE, Intake
from reward_service.api.direct import METHOD, PATH, Direct
from reward_service.api.envelope import PROBES, Crowd, Envelope
from reward_service.api.kept import kept
from reward_service.api.keys import ApiKey
from reward_service.api.metrics import metrics
from reward_service.api.refusals import (
    Refusal,
    from_conflict,
    from_infra,
    from_overload,
    from_task,
    request_id_of,
)
from reward_service.api.routes import probes, v1
from reward_service.compat.labels import Labels
from reward_service.compat.routers import ROUTERS
from reward_service.engine import Engine
from reward_service.errors import BadTask, Conflict, InfraError, Overloaded
from reward_service.run_schemas import ExecuteRequest
from reward_service.schemas import RewardRequest, TaskRequest
from reward_service.settings import Settings
from reward_service.telemetry import REJECTED

_REFUSED: tuple[type[Exception], ...] = (
    *(Refusal, BadTask, Conflict, Overloaded, InfraError),
    *(HTTPException, ClientDisconnect),
)
log = structlog.stdlib.get_logger("reward_service.api")


class Service(FastAPI):
    """FastAPI with one route that goes past it, see `direct.py`, and whose OpenAPI also describes
    the body that `body.py` parses by itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_direct = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == METHOD
        if is_direct and tracing.provider() is None:  # the request's span is FastAPI's
            await self.state.direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The schema, with every wire model."""
        if self.openapi_schema is None:
            _, bodies = models_json_schema(
                [(body, "validation") for body in (RewardRequest, TaskRequest, ExecuteRequest)],
                ref_template="#/components/schemas/{model}",
            )
            schema = super().openapi()
            schema["components"]["schemas"].update(bodies["$defs"])
            self.openapi_schema = schema
        return self.openapi_schema


def create_app(settings: Settings, engine: Engine, keys: Sequence[ApiKey]) -> FastAPI:
    """The service on a running engine; without `keys` it is open."""
    is_described = settings.docs == "on" or (settings.docs == "auto" and not keys)
    app = Service(
        title="rulegrade",
        version=__version__,
        description="Rule-based rewards: a batch of completions in, rewards with reasons out.",
        openapi_url="/openapi.json" if is_described else None,
        redoc_url=None,
        telemetry=_spans_of_requests(),
    )
    app.state.engine = engine
    app.state.keys = keys
    app.state.intake = Intake(
        body_bytes=settings.max_body_mb * MEGABYTE,
        total_bytes=settings.max_uploads_mb * MEGABYTE,
        timeout_s=settings.client_timeout_s,
    )
    app.include_router(v1)
    app.include_router(kept)
    app.include_router(probes)
    app.include_router(metrics)
    app.state.labels = Labels(settings.data_sources)
    for router in ROUTERS:
        app.include_router(router)
    for kind in _REFUSED:
        app.add_exception_handler(kind, _refuse)
    crowd = Crowd(settings.max_requests)
    app.add_middleware(Envelope, crowd=crowd)
    app.state.direct = Envelope(Direct(app, _REFUSED, _refuse), crowd=crowd)
    return app


def _spans_of_requests() -> TelemetryConfig:
    """One span a request, which goes on with the caller's trace; FastAPI's logs quote too much."""
    return {
        "tracing": tracing.provider() is not None,
        "tracer_provider": tracing.provider(),
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": lambda scope: scope["path"] in PROBES,
    }


async def _refuse(request: Request, error: Exception) -> Response:
    refusal = _refusal(error)
    REJECTED.labels(refusal.code).inc()
    return refusal.response(request_id_of(request))


def _refusal(error: Exception) -> Refusal:
    match error:
        case Refusal():
            return error
        case BadTask():
            return from_task(error)
        case Conflict():
            return from_conflict(error)
        case Overloaded():
            return from_overload(error)
        case InfraError():
            log.error("part_down", error=type(error).__name__, reason=str(error))
            return from_infra(error)
        case HTTPException(status_code=404):
            return Refusal(404, "not_found", "There is no such path.")
        case HTTPException(status_code=405):
            message = "This path has other methods; see the Allow header."
            return Refusal(405, "method_not_allowed", message, headers=error.headers or {})
        case ClientDisconnect():  # nobody reads the answer; the status is for the log
            return Refusal(499, "client_closed_request", "The client went away.")
        case _:
            raise error
