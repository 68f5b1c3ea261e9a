"""The routes. What they promise is in docs/api.md; what they do is in the engine."""

import inspect
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from structlog.contextvars import bind_contextvars

from reward_service.api.body import Batch, Runs, Tasks
from reward_service.api.described import REFUSALS, described
from reward_service.api.idempotency import once
from reward_service.api.keys import key_of, require_key
from reward_service.api.presence import while_present
from reward_service.engine import Engine
from reward_service.run_schemas import ExecuteRequest, ExecuteResponse
from reward_service.schemas import (
    LanguageInfo,
    LanguageList,
    RewardRequest,
    RewardResponse,
    TaskRequest,
    TaskResponse,
    VerifierInfo,
    VerifierList,
    Wire,
)
from reward_service.verifiers import VERIFIERS
from sandbox import language_named


class Ready(Wire):
    """Answer of `GET /readyz`."""

    ready: bool
    """Whether requests can be served in full."""
    parts: dict[str, str]
    """The state of each part, in words."""
    isolation: dict[str, str]
    """What isolates programs: `backend`, `level`, `limits`, `runtime`, `image` and `python`; empty
    while none can be run."""


async def get_engine(request: Request) -> Engine:  # a plain function would run in a thread
    """The engine that the service was assembled with."""
    engine: Engine = request.app.state.engine
    return engine


CurrentEngine = Annotated[Engine, Depends(get_engine)]

v1 = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])
probes = APIRouter(tags=["probes"])


@v1.post(
    "/rewards",
    operation_id="score_batch",
    tags=["rewards"],
    response_model=RewardResponse,
    responses=REFUSALS,
    openapi_extra=described(RewardRequest),
)
async def score_batch(
    request: Request, batch: Batch, engine: CurrentEngine
) -> RewardResponse | Response:
    """Score a batch and wait for the result."""

    async def score() -> RewardResponse:
        scoring = engine.score(batch, received=request.state.received, key=key_of(request))
        response = await while_present(request, scoring)
        summary = response.summary
        bind_contextvars(count=summary.count, scored=summary.scored, errors=summary.errors)
        return response

    return await once(request, engine, score)


@v1.post(
    "/tasks",
    operation_id="check_tasks",
    tags=["rewards"],
    responses=REFUSALS,
    openapi_extra=described(TaskRequest),
)
async def check_tasks(request: Request, tasks: Tasks, engine: CurrentEngine) -> TaskResponse:
    """Say, before training, for which tasks no completion could be scored."""
    checking = engine.check(tasks, received=request.state.received, key=key_of(request))
    return await while_present(request, checking)


@v1.post(
    "/execute",
    operation_id="execute",
    tags=["programs"],
    responses=REFUSALS,
    openapi_extra=described(ExecuteRequest),
)
async def execute(request: Request, runs: Runs, engine: CurrentEngine) -> ExecuteResponse:
    """Run programs in the sandbox, for their output."""
    running = engine.execute(runs, received=request.state.received, key=key_of(request))
    return await while_present(request, running)


@v1.get(
    "/verifiers",
    operation_id="list_verifiers",
    tags=["rewards"],
    responses={401: REFUSALS[401]},
)
async def list_verifiers() -> VerifierList:
    """The rules this service knows, with the JSON Schema of their parameters."""
    infos = [
        VerifierInfo(
            name=name,
            description=inspect.getdoc(rule) or "",
            needs_ground_truth=rule.needs_ground_truth,
            params_schema=rule.model_json_schema(),
        )
        for name, rule in VERIFIERS.items()
    ]
    return VerifierList(verifiers=infos)


@v1.get(
    "/languages",
    operation_id="list_languages",
    tags=["programs"],
    responses={status: REFUSALS[status] for status in (401, 503)},
)
async def list_languages(engine: CurrentEngine) -> LanguageList:
    """The languages that the sandbox's image holds; 503 while there is no sandbox to ask."""
    infos = [
        LanguageInfo(name=name, version=version, compiled=bool(language_named(name).compile))
        for name, version in engine.languages().items()
    ]
    return LanguageList(languages=infos)


@probes.get("/livez", operation_id="livez")
async def livez() -> dict[str, str]:
    """The process answers. Asks nothing of any other part; a restart helps when this fails."""
    return {"status": "alive"}


@probes.get("/readyz", operation_id="readyz", responses={503: {"model": Ready}})
async def readyz(engine: CurrentEngine, response: Response) -> Ready:
    """Whether requests can be served: 200, or 503 while a part starts or is down."""
    state = engine.readiness()
    response.status_code = 200 if state.ready else 503
    return Ready(ready=state.ready, parts=state.parts, isolation=state.isolation)
