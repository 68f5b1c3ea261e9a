"""Routes of what is kept: batches that are fetched later, and stored tasks."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from reward_service.api.body import Batch, StoredTaskBody
from reward_service.api.described import REFUSALS, described
from reward_service.api.idempotency import once
from reward_service.api.keys import key_of, require_key
from reward_service.api.refusals import Refusal
from reward_service.api.routes import CurrentEngine
from reward_service.batch_schemas import BatchStatus, StoredTask
from reward_service.references import check_task
from reward_service.schemas import ErrorResponse, Id, RewardRequest, Task

T = TypeVar("T")

kept = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])
_KEPT = {
    **REFUSALS,
    404: {"model": ErrorResponse, "description": "No such one, or another key's"},
    409: {"model": ErrorResponse, "description": "It contradicts what was sent before"},
}


@kept.post(
    "/batches",
    operation_id="accept_batch",
    tags=["batches"],
    status_code=202,
    response_model=BatchStatus,
    responses=_KEPT,
    openapi_extra=described(RewardRequest),
)
async def accept_batch(
    request: Request, batch: Batch, engine: CurrentEngine
) -> BatchStatus | Response:
    """Take a batch now and score it meanwhile."""
    return await once(
        request, engine, lambda: engine.accept(batch, key=key_of(request)), status=202
    )


@kept.get("/batches/{batch_id}", operation_id="batch_status", tags=["batches"], responses=_KEPT)
async def batch_status(
    request: Request,
    batch_id: Id,
    engine: CurrentEngine,
    wait_s: Annotated[float, Query(ge=0, le=60)] = 0,
) -> BatchStatus:
    """How far a batch is; waits until it is over, for `wait_s` seconds at most."""
    found = await engine.batches.status(batch_id, key=key_of(request), wait_s=wait_s)
    return _existing(found, "batch")


@kept.get(
    "/batches/{batch_id}/results",
    operation_id="batch_results",
    tags=["batches"],
    response_class=StreamingResponse,
    responses={**_KEPT, 200: {"content": {"application/x-ndjson": {}}}},
)
async def batch_results(request: Request, batch_id: Id, engine: CurrentEngine) -> StreamingResponse:
    """Results, one a line, each as soon as it is final; ends when the batch is over."""
    key = key_of(request)
    _existing(await engine.batches.status(batch_id, key=key), "batch")
    lines = engine.batches.results(batch_id, key=key)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@kept.delete("/batches/{batch_id}", operation_id="cancel_batch", tags=["batches"], responses=_KEPT)
async def cancel_batch(request: Request, batch_id: Id, engine: CurrentEngine) -> BatchStatus:
    """Stop working on a batch; what is answered stays."""
    return _existing(await engine.batches.cancel(batch_id, key=key_of(request)), "batch")


@kept.put(
    "/tasks/{task_id}",
    operation_id="store_task",
    tags=["tasks"],
    responses={**_KEPT, 201: {"model": StoredTask, "description": "It was not there before"}},
    openapi_extra=described(Task),
)
async def store_task(
    request: Request,
    response: Response,
    task_id: Id,
    task: StoredTaskBody,
    engine: CurrentEngine,
) -> StoredTask:
    """Keep a task, so that items of later requests can name it."""
    check_task(task)
    digest, is_new = await engine.tasks.put(task_id, task, key=key_of(request))
    response.status_code = 201 if is_new else 200
    return StoredTask(id=task_id, digest=digest, kept_s=engine.tasks.kept_s)


@kept.get("/tasks/{task_id}", operation_id="stored_task", tags=["tasks"], responses=_KEPT)
async def stored_task(request: Request, task_id: Id, engine: CurrentEngine) -> StoredTask:
    """Whether a task is kept, and which; its content is not given back."""
    digest, _ = _existing(await engine.tasks.get(task_id, key=key_of(request)), "task")
    return StoredTask(id=task_id, digest=digest, kept_s=engine.tasks.kept_s)


@kept.delete(
    "/tasks/{task_id}",
    operation_id="forget_task",
    tags=["tasks"],
    status_code=204,
    responses=_KEPT,
)
async def forget_task(request: Request, task_id: Id, engine: CurrentEngine) -> None:
    """Forget a task; requests that name it are refused from then on."""
    _existing(await engine.tasks.delete(task_id, key=key_of(request)) or None, "task")


def _existing(found: T | None, what: str) -> T:
    if found is None:
        raise Refusal(404, "not_found", f"There is no such {what}, or not any more.")
    return found
