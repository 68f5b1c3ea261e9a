"""
Outcomes -> rewards: the rule that decides a reward is `_combine`, here and nowhere else.

A reward is a number iff every weighted component was scored. A component that does not apply is
left out of the sum; one that we failed to decide makes the reward null.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Literal
from uuid import uuid4

from reward_service import __version__
from reward_service.broker.base import Broker
from reward_service.chunks import Done, Evaluation, Part, Plan, Planned, cut, singles, time_left
from reward_service.errors import SandboxDown
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
from reward_service.verdicts import SEMANTICS, Failure, Outcome, Score, Verdict
from reward_service.verifiers.apply import apply

Status = Literal["scored", "error", "skipped"]

SLICE_S = 0.005  # how long one batch may hold the event loop at a stretch
_NOT_IN_TIME = Done(
    Failure("deadline_exceeded", "queue", "not decided before the deadline", retryable=True)
)


class Scorer:
    """Turns batches into rewards by way of the broker."""

    def __init__(self, broker: Broker[Evaluation, Done]) -> None:
        self._broker = broker

    async def score(
        self,
        batch: RewardRequest,
        *,
        received: float,
        languages: Collection[str] | None = None,
        sandbox_trouble: str | None = None,
    ) -> RewardResponse:
        """Score a batch; every item is answered by its deadline, counted from `received`.

        Args:
            received: `time.monotonic()` when the request arrived.
            languages: those that programs can be run in; None while that is unknown.
            sandbox_trouble: why no program can be run; None while they can be.

        Raises BadTask when the batch cannot be graded as written, Overloaded when too much waits,
        SandboxDown when no program can be run and nothing else was asked for.
        """
        plan = Plan(batch, languages)
        if sandbox_trouble and set(plan.evaluations().values()) == {"sandbox"}:
            raise SandboxDown(sandbox_trouble)
        done = await self._evaluate(plan, received + batch.deadline_ms / 1000)
        results = []
        turn = _Turn()
        for result in _results(plan, done):
            results.append(result)
            await turn.share()
        return _response(batch, results, received)

    async def _evaluate(self, plan: Plan, deadline: float) -> dict[Evaluation, Done]:
        places = plan.evaluations()
        jobs = cut((e for e, place in places.items() if place == "pool"), deadline=deadline)
        jobs += singles((e for e, p in places.items() if p == "sandbox"), deadline=deadline)
        by_id = {job.id: job for job in jobs}
        done: dict[Evaluation, Done] = {}
        async with self._broker.submit(jobs) as replies:
            try:
                async with asyncio.timeout(time_left(deadline)):
                    inline = [e for e, place in places.items() if place == "inline"]
                    await _evaluate_inline(inline, done)
                    async for reply in replies:
                        done[by_id[reply.job_id].payload[reply.index]] = reply.result
            except TimeoutError:  # the items that were not answered are told so below
                pass
        return done


async def _evaluate_inline(evaluations: Sequence[Evaluation], done: dict[Evaluation, Done]) -> None:
    """Cheap linear rules, here."""
    turn = _Turn()
    for evaluation in evaluations:
        await turn.share()
        began = time.monotonic()
        outcome = apply(evaluation.verifier, evaluation.params, evaluation.attempt)
        done[evaluation] = Done(outcome, run_ms=(time.monotonic() - began) * 1000)


class _Turn:
    """A batch's turn on the event loop, which others get again every few milliseconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def share(self) -> None:
        if time.monotonic() - self._began > SLICE_S:
            await asyncio.sleep(0)
            self._began = time.monotonic()


def _results(plan: Plan, done: Mapping[Evaluation, Done]) -> Iterator[Result]:
    """One result per item, in order; work shared with an earlier item is marked as cached."""
    seen: set[Evaluation] = set()
    for index, planned in enumerate(plan.items):
        outcomes = {p.name: done.get(p.evaluation, _NOT_IN_TIME) for p in planned.parts}
        components = {
            part.name: _component(part, outcomes, cached=part.evaluation in seen)
            for part in planned.parts
        }
        seen.update(part.evaluation for part in planned.parts)
        status, reward, error = _combine(planned.parts, components)
        yield Result(
            id=planned.item.id,
            index=index,
            status=status,
            reward=reward,
            mask_sample=reward is None,
            components=components,
            error=error,
            flags=_flags(planned, done),
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


def _component(part: Part, outcomes: Mapping[str, Done], *, cached: bool) -> Component:
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
        cached=cached,
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


def _response(batch: RewardRequest, results: list[Result], received: float) -> RewardResponse:
    rewards = [result.reward for result in results]
    numbers = [reward for reward in rewards if reward is not None]
    statuses = Counter(result.status for result in results)
    return RewardResponse(
        request_id=batch.request_id or uuid4().hex,
        rewards=rewards,
        results=results,
        summary=Summary(
            count=len(results),
            scored=statuses["scored"],
            errors=statuses["error"],
            skipped=statuses["skipped"],
            mean_reward=math.fsum(numbers) / len(numbers) if numbers else None,
            elapsed_ms=round((time.monotonic() - received) * 1000, 3),
        ),
        service=ServiceInfo(version=__version__, semantics=SEMANTICS),
    )
