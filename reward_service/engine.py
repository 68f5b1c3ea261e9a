"""
Everything that turns batches into rewards in one process, started and stopped together.

`serve` puts HTTP in front of it, `grade` reads a file into it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from reward_service.broker.memory import MemoryBroker
from reward_service.chunks import Done, Evaluation
from reward_service.errors import BadTask, SandboxDown
from reward_service.executor import Executor
from reward_service.pool import Pool
from reward_service.programs import Programs
from reward_service.references import empty_batch, in_terms_of_tasks, problems
from reward_service.run_schemas import ExecuteRequest, ExecuteResponse
from reward_service.sandboxes import make_sandbox
from reward_service.schemas import RewardRequest, RewardResponse, TaskRequest, TaskResponse
from reward_service.scoring import Scorer
from reward_service.settings import Settings
from reward_service.worker import Worker


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every needed part works, and the state of each."""

    ready: bool
    parts: dict[str, str]
    isolation: dict[str, str]
    """Of programs; empty while none can be run."""


class Engine:
    """Scores batches; see `run_engine` for how to get one."""

    def __init__(self, scorer: Scorer, executor: Executor, programs: Programs) -> None:
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
            raise SandboxDown(state)
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
        sandbox = self._programs.state
        ready = sandbox in ("ok", "off")
        parts = {"queue": "ok", "pool": "ok", "sandbox": sandbox}
        return Readiness(ready, parts, dict(self._programs.isolation))


@asynccontextmanager
async def run_engine(settings: Settings) -> AsyncIterator[Engine]:
    """Start the pool, the worker loops and the sandbox; stop and remove all of it at the end.

    The sandbox comes up in the background: rules that need none are served at once.
    """
    broker: MemoryBroker[Evaluation, Done] = MemoryBroker(
        max_items=settings.max_queue_items, max_bytes=settings.max_queue_mb * 2**20
    )
    pool = Pool(
        workers=settings.pool_workers,
        cpu_s=settings.math_cpu_s,
        wall_s=settings.math_wall_s,
        memory_mb=settings.pool_memory_mb,
    )
    is_off = settings.sandbox_backend == "off"
    programs = Programs(None if is_off else partial(make_sandbox, settings))
    try:
        await pool.start()
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(programs.keep_up())
            worker = group.create_task(
                Worker(broker, pool, programs).run(
                    chunks=2 * settings.pool_workers, programs=settings.sandbox_slots
                )
            )
            yield Engine(Scorer(broker), Executor(broker), programs)
            keeper.cancel()
            worker.cancel()
    finally:
        await programs.close()
        await pool.close()
