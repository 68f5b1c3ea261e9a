"""
Programs -> what became of them: `POST /v1/execute`, by way of the same queue as rewards.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict
from uuid import uuid4

import structlog

from reward_service import tracing
from reward_service.broker.base import Broker, Caller
from reward_service.chunks import Done, Evaluation, singles, time_left, traced
from reward_service.errors import BadTask
from reward_service.run_schemas import ExecuteRequest, ExecuteResponse, RunResult, RunSpec
from reward_service.runs import evaluation_of, program_of
from reward_service.schemas import ErrorInfo
from reward_service.verdicts import Failure, Outcome, Ran

MAX_ANSWER = 64 * 2**20
"""Characters of output in one answer; beyond it runs are told to come again alone."""

log = structlog.stdlib.get_logger("reward_service.executor")

_NOT_IN_TIME = Failure("deadline_exceeded", "queue", "not run before the deadline", retryable=True)
_TOO_MUCH = Failure(
    "answer_too_large", "sandbox", "the runs before it filled the answer", retryable=True
)


class Executor:
    """Runs programs by way of the broker."""

    def __init__(self, broker: Broker[Evaluation, Done]) -> None:
        self._broker = broker

    async def execute(
        self,
        request: ExecuteRequest,
        *,
        received: float,
        languages: Collection[str],
        key: str,
    ) -> ExecuteResponse:
        """Run every program; each is answered by the deadline, counted from `received`.

        Args:
            received: `time.monotonic()` when the request arrived.
            languages: those that programs can be run in.
            key: on whose behalf; keys take turns.

        Raises BadTask when a program cannot be run as written, Overloaded when too much waits.
        """
        tracing.describe({"rulegrade.items": len(request.runs)})
        await _check(request, languages)
        outcomes = await self._run(
            request, deadline=received + request.deadline_ms / 1000, caller=Caller(key=key)
        )
        results = [
            _result(spec, outcomes.get(index, _NOT_IN_TIME))
            for index, spec in enumerate(request.runs)
        ]
        return ExecuteResponse(request_id=request.request_id or uuid4().hex, results=results)

    async def _run(
        self, request: ExecuteRequest, *, deadline: float, caller: Caller
    ) -> dict[int, Outcome]:
        """Outcomes by the place of the run in the request."""
        request_id = request.request_id or ""
        asked = [(evaluation_of(run), [(request_id, run.id)]) for run in request.runs]
        jobs = traced(singles(asked, deadline=deadline), tracing.callers())
        places = {job.id: index for index, job in enumerate(jobs)}
        outcomes: dict[int, Outcome] = {}
        size = 0
        async with self._broker.submit(jobs, caller) as replies:
            try:
                async with asyncio.timeout(time_left(deadline)):
                    async for reply in replies:
                        outcome = reply.result.outcome
                        size += _size(outcome)
                        is_too_much = size > MAX_ANSWER and len(outcomes) > 0
                        outcomes[places[reply.job_id]] = _TOO_MUCH if is_too_much else outcome
            except TimeoutError:  # the runs that were not answered are told so by the caller
                pass
        return outcomes


async def _check(request: ExecuteRequest, languages: Collection[str]) -> None:
    """Raise BadTask, naming the field, for what no slot could run."""
    first: dict[str, int] = {}
    for index, spec in enumerate(request.runs):
        if first.setdefault(spec.id, index) != index:
            raise BadTask(f"runs.{index}.id", f"same id as at position {first[spec.id]}")
        if spec.language not in languages:
            held = ", ".join(languages) or "none"
            message = f"the sandbox does not hold it, only {held}"
            raise BadTask(f"runs.{index}.language", message)
        await asyncio.sleep(0)  # others' turn: the files may be megabytes
        try:
            program_of(spec)
        except ValueError as error:
            field, _, message = str(error).partition(": ")
            raise BadTask(f"runs.{index}.{_FIELDS.get(field, field)}", message) from None


_FIELDS: Mapping[str, str] = {"outputs": "output_files"}
"""Fields of a program that the wire calls otherwise."""


def _size(outcome: Outcome) -> int:
    if not isinstance(outcome, Ran):
        return 0
    texts = [outcome.details["stdout"], outcome.details["stdout_base64"], outcome.details["stderr"]]
    return sum(len(text or "") for text in texts) + sum(
        len(content if isinstance(content, str) else content["base64"])
        for content in outcome.details["files"].values()
    )


def _result(spec: RunSpec, outcome: Outcome) -> RunResult:
    match outcome:
        case Ran(details):
            return RunResult.model_validate({"id": spec.id, "status": "ok", **details})
        case Failure():
            log.warning("item_failed", item_id=spec.id, code=outcome.code, stage=outcome.stage)
            return RunResult(id=spec.id, status="error", error=ErrorInfo(**asdict(outcome)))
    raise AssertionError(f"a run ended as a {type(outcome).__name__}")
