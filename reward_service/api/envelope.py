"""
What goes around every request: its arrival time, its id, its line in the log, the last resort.

An id that the caller sends as `X-Request-Id` is kept if it is plain, so that one id can be
followed through a trainer's log and ours.
"""

import re
import time
import traceback
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_service import tracing
from reward_service.api.refusals import Refusal, from_overload
from reward_service.errors import Overloaded
from reward_service.telemetry import REJECTED, REQUEST_SECONDS

PROBES = ("/livez", "/readyz", "/metrics")
Log = structlog.stdlib.BoundLogger
CROWDED = from_overload(Overloaded("too many requests are in hand", retry_after_s=5.0))
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(slots=True)
class Crowd:
    """Requests in hand, on whichever way through the service."""

    most: int
    in_hand: int = 0


class Envelope:
    """Pure ASGI middleware; sits outside routing, so that 404 and 500 get an id and a line too.

    Beyond the `crowd` that may be in hand it refuses before anything is read; never probes.
    """

    def __init__(self, app: ASGIApp, *, crowd: Crowd) -> None:
        self._app = app
        self._crowd = crowd
        self._log: Log = structlog.stdlib.get_logger("reward_service.api").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        received: float = state.setdefault("received", time.monotonic())
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        _describe(scope, request_id)
        crowd = self._crowd
        crowd.in_hand += 1
        try:
            is_one_too_many = crowd.in_hand > crowd.most and scope["path"] not in PROBES
            app = _refuse if is_one_too_many else self._app
            await app(scope, receive, send_with_id)
        except Exception as error:  # the last resort: a bug of ours must not cost the caller its id
            _log_bug(self._log, error)
            if status:
                raise  # half an answer is out; the server closes the connection
            refusal = Refusal(500, "internal_error", "A bug of the service; its log has the id.")
            await refusal.response(request_id)(scope, receive, send_with_id)
        finally:
            crowd.in_hand -= 1
            _log_request(self._log, scope, status, time.monotonic() - received)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    REJECTED.labels(CROWDED.code).inc()
    await CROWDED.response(scope["state"]["request_id"])(scope, receive, send)


def _request_id(scope: Scope) -> str:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    given = next((value for name, value in headers if name == b"x-request-id"), b"").decode(
        "latin-1"
    )
    return given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex


def _describe(scope: Scope, request_id: str) -> None:
    """The span that FastAPI made; a query may hold a key that does not belong there."""
    query = {"url.query": "REDACTED"} if scope["query_string"] else {}
    tracing.describe({"rulegrade.request_id": request_id, **query})


def _log_bug(log: Log, error: Exception) -> None:
    """Where it happened, without the message, which may quote a completion."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("request_failed", error=type(error).__name__, where=where)


def _log_request(log: Log, scope: Scope, status: int, elapsed_s: float) -> None:
    write = log.debug if scope["path"] in PROBES else log.info
    route = getattr(scope.get("route"), "path", "none")  # a template: no label from user text
    REQUEST_SECONDS.labels(route, str(status)).observe(elapsed_s)
    write(
        "request_answered" if status else "request_abandoned",
        method=scope["method"][:16],
        path=scope["path"][:100],
        status=status,
        elapsed_ms=round(elapsed_s * 1000, 1),
    )
