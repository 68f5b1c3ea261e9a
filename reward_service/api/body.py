"""The body of a request, bounded while it arrives: in bytes, alone and with all others, and in
time."""

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request
from structlog.contextvars import bind_contextvars

from reward_service import tracing
from reward_service.api.parsing import Named, parse
from reward_service.api.refusals import Refusal, request_id_of
from reward_service.errors import Overloaded
from reward_service.run_schemas import ExecuteRequest
from reward_service.schemas import RewardRequest, Task, TaskRequest

MEGABYTE = 1024 * 1024
IDEMPOTENCY_KEY = "Idempotency-Key"


class Intake:
    """Reads bodies within limits, before anything is parsed."""

    def __init__(self, *, body_bytes: int, total_bytes: int, timeout_s: float) -> None:
        self._body_bytes = body_bytes
        self._total_bytes = total_bytes
        self._timeout_s = timeout_s
        self._held = 0

    async def read(self, request: Request) -> bytearray:
        """The body. Raises Refusal when it is of another kind, too long or too slow, and
        Overloaded when all bodies together are too much."""
        headers = dict(reversed(request.scope["headers"]))  # of several, the first counts
        _check_headers(headers)
        if int(headers.get(b"content-length", 0)) > self._body_bytes:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s):
                async for piece in request.stream():
                    body += piece
                    self._held += len(piece)
                    self._check(len(body))
        except TimeoutError:
            message = f"The body did not arrive within {self._timeout_s:g} s."
            headers = {"Connection": "close"}
            raise Refusal(408, "request_timeout", message, headers=headers) from None
        finally:
            self._held -= len(body)
        return body

    def _check(self, size: int) -> None:
        if size > self._body_bytes:
            raise self._too_large()
        if self._held > self._total_bytes:
            raise Overloaded("Too many uploads at once; ask again later.", retry_after_s=1.0)

    def _too_large(self) -> Refusal:
        message = f"The body is longer than {self._body_bytes // MEGABYTE} MiB; send less at once."
        return Refusal(413, "too_large", message)


def _check_headers(headers: Mapping[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0]
    if kind.strip().lower() != b"application/json":
        message = "Send the body as JSON, with `Content-Type: application/json`."
        raise Refusal(415, "unsupported_media_type", message)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        message = "Send the body uncompressed, without `Content-Encoding`."
        raise Refusal(415, "unsupported_media_type", message)


async def read_batch(request: Request) -> RewardRequest:
    """The batch in the body; one without a request id takes the id of the request."""
    batch = await _read(request, RewardRequest)
    bind_contextvars(count=len(batch.items))
    return batch


async def read_tasks(request: Request) -> TaskRequest:
    """The tasks in the body; a request id is taken as for a batch."""
    tasks = await _read(request, TaskRequest)
    bind_contextvars(count=len(tasks.tasks))
    return tasks


async def read_runs(request: Request) -> ExecuteRequest:
    """The programs in the body; a request id is taken as for a batch."""
    runs = await _read(request, ExecuteRequest)
    bind_contextvars(count=len(runs.runs))
    return runs


async def read_stored_task(request: Request) -> Task:
    """The task in the body."""
    intake: Intake = request.app.state.intake
    return parse(Task, await intake.read(request))


async def _read(request: Request, kind: type[Named]) -> Named:
    intake: Intake = request.app.state.intake
    body = await intake.read(request)
    if IDEMPOTENCY_KEY in request.headers:
        request.state.fingerprint = sha256(body).hexdigest().encode()
    parsed = parse(kind, body)
    given = request_id_of(request)
    if parsed.request_id is None:
        return parsed.model_copy(update={"request_id": given})
    if parsed.request_id != given:
        bind_contextvars(request_id=parsed.request_id, x_request_id=given)
        tracing.describe({"rulegrade.request_id": parsed.request_id})
    return parsed


Batch = Annotated[RewardRequest, Depends(read_batch)]
Tasks = Annotated[TaskRequest, Depends(read_tasks)]
StoredTaskBody = Annotated[Task, Depends(read_stored_task)]
Runs = Annotated[ExecuteRequest, Depends(read_runs)]
