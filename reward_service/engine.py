"""
Everything that turns batches into rewards in one process, started and stopped together.

`serve` puts HTTP in front of it, `grade` reads a file into it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reward_service.broker.memory import MemoryBroker
from reward_service.chunks import Done, Evaluation
from reward_service.errors import BadTask, SandboxDown
from reward_service.executor import Executor
from reward_service.fleet import Fleet, join_queue
from reward_service.programs import Programs
from reward_service.references import empty_batch, in_terms_of_tasks, problems
from reward_service.run_schemas import ExecuteRequest, ExecuteResponse
from reward_service.schemas import RewardRequest, RewardResponse, TaskRequest, TaskResponse
from reward_service.scoring import Scorer
from reward_service.settings import Settings
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

    def __init__(self, scorer: Scorer, executor: Executor, programs: Programs | Fleet) -> None:
        self._scorer = scorer
        self._executor = executor
        self._programs = programs

    async def score(self, batch: RewardRequest, *, received: float) -> RewardResponse:
        """Score a batch; every item is answered by its deadline.

        `received` is `time.monotonic()` at arrival. Raises BadTask, Overloaded, and SandboxDown
        where nothing but programs is to be scored and none can be run.
        """
        return await self._scorer.score(
            batch,
            received=received,
            languages=self._programs.languages or None,
            sandbox_trouble=self._programs.trouble,
        )

    async def execute(self, request: ExecuteRequest, *, received: float) -> ExecuteResponse:
        """Run programs for their output; each is answered by its deadline, see `score`.

        Raises BadTask, Overloaded, and SandboxDown while nothing can be run.
        """
        if (state := self._programs.state) != "ok":
            raise SandboxDown(f"the sandbox is {state}")
        languages = self._programs.known_languages()
        return await self._executor.execute(request, received=received, languages=languages)

    def languages(self) -> Mapping[str, str]:
        """Version by name of every language that programs can be run in. Raises SandboxDown."""
        return self._programs.known_languages()

    async def check(self, request: TaskRequest, *, received: float) -> TaskResponse:
        """Say which tasks no completion could be scored for. Raises BadTask and Overloaded."""
        try:
            scored = await self.score(empty_batch(request), received=received)
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
    async with run_workshop(settings, broker, is_alone=True) as workshop:
        yield Engine(Scorer(broker), Executor(broker), workshop.programs)


@asynccontextmanager
async def _shared(settings: Settings) -> AsyncIterator[Engine]:
    broker = join_queue(settings, JobCodec(), GENERATION, member=None)
    await broker.start()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run())
            fleet = Fleet(broker, is_off=settings.sandbox_backend == "off")
            yield Engine(Scorer(broker), Executor(broker), fleet)
            running.cancel()
    finally:
        await broker.close()
