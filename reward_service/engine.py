"""
Everything that turns batches into rewards in one process, started and stopped together.

`serve` puts HTTP in front of it, `grade` reads a file into it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reward_service.answers import Answers
from reward_service.batch_schemas import BatchStatus
from reward_service.batches import Batches
from reward_service.broker.base import Broker
from reward_service.broker.memory import MemoryBroker
from reward_service.broker.redis_connection import Keys
from reward_service.chunks import Done, Evaluation, Plan
from reward_service.errors import BadTask, SandboxDown
from reward_service.evaluator import Evaluator
from reward_service.executor import Executor
from reward_service.fleet import OFF, Fleet, join_queue
from reward_service.programs import Programs
from reward_service.references import empty_batch, in_terms_of_tasks, problems
from reward_service.result_cache import ResultCache
from reward_service.run_schemas import ExecuteRequest, ExecuteResponse
from reward_service.schemas import (
    Result,
    RewardRequest,
    RewardResponse,
    TaskRequest,
    TaskResponse,
)
from reward_service.scoring import Scorer
from reward_service.settings import Settings
from reward_service.store.base import Store
from reward_service.store.memory import MemoryStore
from reward_service.store.redis_store import RedisStore
from reward_service.stored_tasks import StoredTasks
from reward_service.telemetry import QUEUE_BYTES, QUEUE_ITEMS, QUEUE_OLDEST_SECONDS
from reward_service.verdicts import Failure
from reward_service.verifiers.base import Place
from reward_service.wire_jobs import GENERATION, JobCodec
from reward_service.workshop import run_workshop


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every needed part works, and the state of each."""

    ready: bool
    parts: dict[str, str]
    isolation: dict[str, str]
    """Of programs; empty while none can be run."""


class Engine:
    """Scores batches; see `run_engine` for how to get one."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        broker: Broker[Evaluation, Done],
        scorer: Scorer,
        executor: Executor,
        programs: Programs | Fleet,
    ) -> None:
        self._broker = broker
        self._scorer = scorer
        self._executor = executor
        self._programs = programs
        self.tasks = StoredTasks(store, kept_s=settings.keep_tasks_s)
        self.answers = Answers(store, kept_s=settings.keep_answers_s)
        self.batches = Batches(store, self.score, kept_s=settings.keep_answers_s)

    async def accept(self, batch: RewardRequest, *, key: str) -> BatchStatus:
        """Keep a batch to be scored from now on; `batches` tells how far it is.

        Raises BadTask and Overloaded.
        """
        batch = await self.tasks.complete(batch, key=key)
        Plan(batch, self._programs.languages or None)
        return await self.batches.accept(batch, key=key)

    async def score(
        self,
        batch: RewardRequest,
        *,
        received: float,
        key: str,
        on_result: Callable[[Result], None] | None = None,
    ) -> RewardResponse:
        """Score a batch; every item is answered by its deadline.

        `received` is `time.monotonic()` at arrival; keys take turns; `on_result` gets each result
        as soon as it is final. Raises BadTask, Overloaded, and SandboxDown where nothing but
        programs is to be scored and none can be run.
        """
        return await self._scorer.score(
            await self.tasks.complete(batch, key=key),
            received=received,
            languages=self._programs.languages or None,
            sandbox_trouble=self._programs.trouble,
            key=key,
            on_result=on_result,
        )

    async def execute(
        self, request: ExecuteRequest, *, received: float, key: str
    ) -> ExecuteResponse:
        """Run programs for their output; each is answered by its deadline, see `score`.

        Raises BadTask, Overloaded, and SandboxDown while nothing can be run.
        """
        if (state := self._programs.state) != "ok":
            raise SandboxDown(f"the sandbox is {state}")
        languages = self._programs.known_languages()
        return await self._executor.execute(
            request, received=received, languages=languages, key=key
        )

    def languages(self) -> Mapping[str, str]:
        """Version by name of every language that programs can be run in. Raises SandboxDown."""
        return self._programs.known_languages()

    async def check(self, request: TaskRequest, *, received: float, key: str) -> TaskResponse:
        """Say which tasks no completion could be scored for, see `score`.

        Raises BadTask and Overloaded.
        """
        try:
            scored = await self.score(empty_batch(request), received=received, key=key)
        except BadTask as error:
            raise in_terms_of_tasks(error, request) from None
        found = list(problems(scored.results))
        bad = {problem.task_id for problem in found}
        return TaskResponse(
            request_id=scored.request_id,
            count=len(request.tasks),
            gradable=len(request.tasks) - len(bad),
            problems=found,
        )

    def measure_queue(self) -> None:
        """Set the gauges of what waits to what waits at the moment."""
        depth = self._broker.depth()
        QUEUE_ITEMS.set(depth.items)
        QUEUE_BYTES.set(depth.size)
        for kind in ("pool", "sandbox"):
            QUEUE_OLDEST_SECONDS.labels(kind).set(depth.oldest_s.get(kind, 0.0))

    def readiness(self) -> Readiness:
        """The state of the queue, the pool and the sandbox."""
        parts = self._programs.parts()
        is_ready = all(state in ("ok", "off") for state in parts.values())
        return Readiness(is_ready, parts, dict(self._programs.isolation))


@asynccontextmanager
async def run_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Start what is needed; stop and remove all of it at the end.

    With `redis_url` the work is done by the workers of that queue, else in this process. Raises
    BrokerError when Redis cannot be used. A sandbox comes up in the background: rules that need
    none are served at once.
    """
    engine = _shared(settings) if settings.redis_url else _alone(settings)
    async with engine as running:
        yield running


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[Engine]:
    broker: MemoryBroker[Evaluation, Done] = MemoryBroker(
        max_items=settings.max_queue_items, max_bytes=settings.max_queue_mb * 2**20
    )
    store = MemoryStore(max_bytes=settings.store_mb * 2**20)
    async with (
        run_workshop(settings, broker, is_alone=True) as workshop,
        _engine(settings, broker, workshop.programs, store) as engine,
    ):
        yield engine


@asynccontextmanager
async def _shared(settings: Settings) -> AsyncIterator[Engine]:
    broker = join_queue(settings, JobCodec(), GENERATION, member=None)
    await broker.start()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run())
            fleet = Fleet(broker, is_off=settings.sandbox_backend == "off")
            store = RedisStore(broker.client, Keys("store"))
            async with _engine(settings, broker, fleet, store) as engine:
                yield engine
            running.cancel()
    finally:
        await broker.close()


@asynccontextmanager
async def _engine(
    settings: Settings,
    broker: Broker[Evaluation, Done],
    programs: Programs | Fleet,
    store: Store,
) -> AsyncIterator[Engine]:
    place = settings.sandbox_image or settings.sandbox_flavour
    shared = store if store.is_shared else None
    cache = ResultCache(max_bytes=settings.cache_mb * 2**20, place=place, store=shared)
    # Without a queue that others share, the workshop itself says so.
    refused: dict[Place, Failure] = {}
    if store.is_shared and settings.sandbox_backend == "off":
        refused["sandbox"] = Failure("sandbox_unavailable", "sandbox", OFF, retryable=True)
    evaluator = Evaluator(broker, cache, refused)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(evaluator.run())
        engine = Engine(settings, store, broker, Scorer(evaluator), Executor(broker), programs)
        batches = group.create_task(engine.batches.run())
        yield engine
        running.cancel()
        batches.cancel()
