"""
Outcomes -> rewards: the rule that decides a reward is `_combine`, here and nowhere else.

A reward is a number iff every weighted component was scored. A component that does not apply is
left out of the sum; one that we failed to decide makes the reward null.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Literal
from uuid import uuid4

import structlog

from reward_service import __version__, tracing
from reward_service.broker.base import Caller
from reward_service.chunks import Done, Evaluation, Part, Plan, Planned
from reward_service.errors import SandboxDown
from reward_service.evaluator import Evaluator, Turn
from reward_service.schemas import (
    Component,
    ErrorInfo,
    Result,
    RewardRequest,
    RewardResponse,
    ServiceInfo,
    Summary,
    Timing,
)
from reward_service.telemetry import ALL_ZERO, COMPONENTS, ERRORS, ITEMS, SCORE_POINTS, SCORES
from reward_service.verdicts import SEMANTICS, Failure, Outcome, Score, Verdict

log = structlog.stdlib.get_logger("reward_service.scoring")

Status = Literal["scored", "error", "skipped"]

TELLING = 8  # items of a batch from which rewards that are all 0 hint at a dead rule
_NOT_IN_TIME = Done(
    Failure("deadline_exceeded", "queue", "not decided before the deadline", retryable=True)
)


class Scorer:
    """Turns batches into rewards."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    async def score(
        self,
        batch: RewardRequest,
        *,
        received: float,
        languages: Collection[str] | None = None,
        sandbox_trouble: str | None = None,
        key: str = "",
        on_result: Callable[[Result], None] | None = None,
    ) -> RewardResponse:
        """Score a batch; every item is answered by its deadline, counted from `received`.

        Args:
            received: `time.monotonic()` when the request arrived.
            languages: those that programs can be run in; None while that is unknown.
            sandbox_trouble: why no program can be run; None while they can be.
            key: on whose behalf; keys take turns.
            on_result: called with each item's result as soon as it is final.

        Raises BadTask when the batch cannot be graded as written, Overloaded when too much waits,
        SandboxDown when no program can be run and nothing else was asked for.
        """
        plan = Plan(batch, languages)
        wanted = plan.evaluations()
        places = Counter(want.place for want in wanted.values())
        if sandbox_trouble and set(places) == {"sandbox"}:
            raise SandboxDown(sandbox_trouble)
        kinds = {f"rulegrade.evaluations.{place}": count for place, count in places.items()}
        tracing.describe({"rulegrade.items": len(plan.items), **kinds})
        board = _Board(plan, on_result)
        await self._evaluator.evaluate(
            wanted,
            board.settle,
            caller=Caller(batch.lane, key),
            deadline=received + batch.deadline_ms / 1000,
        )
        turn = Turn()
        results = []
        for index in range(len(plan.items)):
            results.append(board.result(index))
            await turn.share()
        return _response(batch, results, received)


class _Board:
    """What is known of a batch: outcomes as they come, results as soon as they are final."""

    def __init__(self, plan: Plan, on_result: Callable[[Result], None] | None) -> None:
        self._items = plan.items
        self._done: dict[Evaluation, Done] = {}
        self._results: dict[int, Result] = {}
        self._on_result = on_result
        self._asked_by: dict[Evaluation, list[int]] = {}
        self._open = []
        for index, planned in enumerate(plan.items):
            evaluations = dict.fromkeys(part.evaluation for part in planned.parts)
            self._open.append(len(evaluations))
            for evaluation in evaluations:
                self._asked_by.setdefault(evaluation, []).append(index)

    def settle(self, evaluation: Evaluation, done: Done) -> None:
        """Note an outcome."""
        self._done[evaluation] = done
        for index in self._asked_by[evaluation]:
            self._open[index] -= 1
            if not self._open[index] and self._on_result is not None:
                self.result(index)

    def result(self, index: int) -> Result:
        """The final result of an item; what has no outcome yet was not decided in time."""
        if index not in self._results:
            self._results[index] = self._make(index)
            _count(self._results[index])
            _log_failure(self._results[index])
            if self._on_result is not None:
                self._on_result(self._results[index])
        return self._results[index]

    def _make(self, index: int) -> Result:
        planned = self._items[index]
        outcomes = {p.name: self._done.get(p.evaluation, _NOT_IN_TIME) for p in planned.parts}
        components = {
            part.name: _component(
                part, outcomes, is_shared=self._asked_by[part.evaluation][0] != index
            )
            for part in planned.parts
        }
        status, reward, error = _combine(planned.parts, components)
        return Result(
            id=planned.item.id,
            index=index,
            status=status,
            reward=reward,
            mask_sample=reward is None,
            components=components,
            error=error,
            flags=_flags(planned, self._done),
            metadata=planned.item.metadata,
        )


def _combine(
    parts: Sequence[Part], components: Mapping[str, Component]
) -> tuple[Status, float | None, ErrorInfo | None]:
    """The reward rule. A weight of 0 reports a component without paying for it."""
    weighted = [part for part in parts if part.weight != 0]
    needed = {name: None for part in weighted for name in (part.name, part.gate) if name}
    for name in needed:
        if (error := components[name].error) is not None:
            return "error", None, error
    applicable = [components[part.name] for part in weighted]
    scored = [c for c in applicable if c.score is not None]
    if applicable and not scored:
        return "skipped", None, None
    terms = (c.weight * c.score for c in scored if c.score is not None and c.counted)
    return "scored", math.fsum(terms), None


def _component(part: Part, outcomes: Mapping[str, Done], *, is_shared: bool) -> Component:
    done = outcomes[part.name]
    outcome = done.outcome
    score = outcome if isinstance(outcome, Score) else None
    failure = outcome if isinstance(outcome, Failure) else None
    return Component(
        status="scored" if score else "error" if failure else "skipped",
        score=score.value if score else None,
        weight=part.weight,
        counted=part.gate is None or _has_passed(outcomes[part.gate].outcome),
        verdict=score.verdict.value if score else None,
        reason=outcome.code if isinstance(outcome, Failure) else outcome.reason,
        details={} if isinstance(outcome, Failure) else outcome.details,
        cached=done.is_cached or is_shared,
        timing_ms=Timing(queue=round(done.queue_ms, 3), run=round(done.run_ms, 3)),
        error=ErrorInfo(**asdict(failure)) if failure else None,
    )


def _has_passed(outcome: Outcome) -> bool:
    return isinstance(outcome, Score) and outcome.verdict is Verdict.CORRECT


def _flags(planned: Planned, done: Mapping[Evaluation, Done]) -> list[str]:
    flags = dict.fromkeys(planned.flags)
    for part in planned.parts:
        outcome = done.get(part.evaluation, _NOT_IN_TIME).outcome
        if isinstance(outcome, Score):
            flags.update(dict.fromkeys(outcome.flags))
    return list(flags)


def _count(result: Result) -> None:
    ITEMS.labels(result.status).inc()
    for name, component in result.components.items():
        COMPONENTS.labels(name, component.verdict or component.status).inc()
        if component.score is not None:
            SCORES.labels(name).observe(component.score)
            for sign, factor in (("plus", 1), ("minus", -1)):
                SCORE_POINTS.labels(name, sign).inc(max(0.0, factor * component.score))
        if component.error is not None:
            ERRORS.labels(component.error.stage, component.error.code).inc()


def _log_failure(result: Result) -> None:
    """An item without a reward for a reason of ours; the line has its request's id already."""
    if (error := result.error) is not None:
        facts = error.model_dump(include={"code", "stage", "attempts", "retryable"})
        log.warning("item_failed", item_id=result.id, **facts)


def _response(batch: RewardRequest, results: list[Result], received: float) -> RewardResponse:
    rewards = [result.reward for result in results]
    numbers = [reward for reward in rewards if reward is not None]
    statuses = [result.status for result in results]
    if len(numbers) >= TELLING and not any(numbers):
        ALL_ZERO.inc()
    counts = {"scored": statuses.count("scored"), "errors": statuses.count("error")}
    tracing.describe({f"rulegrade.items.{name}": count for name, count in counts.items()})
    return RewardResponse(
        request_id=batch.request_id or uuid4().hex,
        rewards=rewards,
        results=results,
        summary=Summary(
            count=len(results),
            scored=statuses.count("scored"),
            errors=statuses.count("error"),
            skipped=statuses.count("skipped"),
            mean_reward=math.fsum(numbers) / len(numbers) if numbers else None,
            elapsed_ms=round((time.monotonic() - received) * 1000, 3),
        ),
        service=ServiceInfo(version=__version__, semantics=SEMANTICS),
    )
