"""`Idempotency-Key`: the same request, sent again, is answered as the first time."""

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request, Response

from reward_service.api.body import IDEMPOTENCY_KEY
from reward_service.api.keys import key_of
from reward_service.api.refusals import invalid
from reward_service.engine import Engine
from reward_service.schemas import Problem, Wire

REPLAYED = "Idempotency-Replayed"
_PLAIN = re.compile(r"[!-~]{1,255}")

Answer = TypeVar("Answer", bound=Wire)


async def once(
    request: Request, engine: Engine, answer: Callable[[], Awaitable[Answer]], status: int = 200
) -> Answer | Response:
    """What `answer` gives, or gave the first time if the request has a key.

    Refusals are not kept: nothing was done, and the key is free again.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return await answer()
    if not _PLAIN.fullmatch(key):
        message = "1 to 255 visible ASCII characters"
        raise invalid([Problem(field=f"header.{IDEMPOTENCY_KEY}", message=message)], 1)

    async def body() -> bytes:
        return (await answer()).model_dump_json().encode()

    name = "\n".join((key_of(request), request.url.path, key))
    sent, is_replayed = await engine.answers.once(name, request.state.fingerprint, body)
    headers = {REPLAYED: "true"} if is_replayed else {}
    return Response(sent, status, headers=headers, media_type="application/json")
