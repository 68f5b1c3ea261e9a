"""
`POST /v1/rewards` past the framework: a trainer may send every completion as a request of its own.

FastAPI's way through eight layers of middleware, routing and dependencies costs several times the
CPU time of reading, scoring and answering one completion. The route is FastAPI's all the same: it
is described there, and what it would be given is here given to the same function.
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from reward_service.api.body import read_batch
from reward_service.api.keys import require_key_of
from reward_service.api.routes import score_batch, v1

METHOD, PATH = "POST", "/v1/rewards"
_ROUTE = next(route for route in v1.routes if getattr(route, "endpoint", None) is score_batch)

Refuse = Callable[[Request, Exception], Awaitable[Response]]


class Direct:
    """The ASGI application of that one route."""

    def __init__(self, app: FastAPI, refused: tuple[type[Exception], ...], refuse: Refuse) -> None:
        self._app = app
        self._refused = refused
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["app"] = self._app
        scope["route"] = _ROUTE
        request = Request(scope, receive)
        try:
            response = await _answer(request)
        except self._refused as error:
            response = await self._refuse(request, error)
        await response(scope, receive, send)


async def _answer(request: Request) -> Response:
    await require_key_of(request)
    answer = await score_batch(request, await read_batch(request), request.app.state.engine)
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(), media_type="application/json")
