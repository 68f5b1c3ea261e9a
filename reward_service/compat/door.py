"""
The way from a foreign request to the engine: who may pass, how long we try, what a failure does.

Most of these clients turn any failure of ours into a reward of 0, or end the run. So a request is
held and what failed for a passing reason is tried again, for nearly as long as its client waits.
"""

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Literal, Protocol, TypeVar

from fastapi import APIRouter, Depends, Request

from reward_service.api.keys import key_of, require_this_key
from reward_service.api.presence import while_present
from reward_service.api.refusals import request_id_of
from reward_service.compat.labels import Labels
from reward_service.engine import Engine
from reward_service.errors import InfraError, Overloaded
from reward_service.run_schemas import ExecuteRequest, RunResult, RunSpec
from reward_service.schemas import ErrorInfo, Item, Result, RewardRequest

OnFailure = Literal["mask", "zero", "refuse"]
"""What a client is told of an item without a reward: that it must be left out, a 0 that is marked
as ours, or nothing but a 503."""


class Identified(Protocol):
    """What is sent to the engine."""

    @property
    def id(self) -> str: ...


class Answered(Identified, Protocol):
    """What comes back."""

    @property
    def error(self) -> ErrorInfo | None: ...


Asked = TypeVar("Asked", bound=Identified)
Told = TypeVar("Told", bound=Answered)

PAUSE_S = 1.0
_CHOICES: Mapping[str, OnFailure] = {"mask": "mask", "zero": "zero", "refuse": "refuse"}


class NotDecided(InfraError):
    """A foreign request's item has no reward, and its protocol or caller has no use for that."""


async def require_key_anyhow(request: Request) -> None:
    """Let the request pass with a key in any form.

    HTTP Basic is for clients that can be given a URL and nothing else: `http://any:KEY@host/`.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        bearer = given if scheme.lower() == "bearer" else None
        require_this_key(request, bearer or request.headers.get("x-api-key"))
        return
    try:
        text = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    require_this_key(request, text.partition(":")[2])


async def get_labels(request: Request) -> Labels:
    """The rule by which labels are read here."""
    labels: Labels = request.app.state.labels
    return labels


CurrentLabels = Annotated[Labels, Depends(get_labels)]


def foreign_router() -> APIRouter:
    """A router whose routes ask for a key, and stay out of the API's own description."""
    return APIRouter(dependencies=[Depends(require_key_anyhow)], include_in_schema=False)


def on_failure(request: Request, *, default: OnFailure) -> OnFailure:
    """The caller's choice, `?on_failure=` or `X-Reward-On-Failure`, else the protocol's own."""
    asked = request.query_params.get("on_failure") or request.headers.get("x-reward-on-failure", "")
    return _CHOICES.get(asked, default)


def data_source(request: Request, given: str | None = None) -> str | None:
    """The data source that a request names, in its body or as `?data_source=`."""
    return given or request.query_params.get("data_source")


async def decide(request: Request, items: Sequence[Item], *, within_s: float) -> list[Result]:
    """A result for every item, after trying for up to `within_s` seconds, or `?hold_s=`.

    Raises BadTask for items that cannot be scored as written. Everything else that goes wrong is
    told by a result without a reward.
    """
    numbered = [item.model_copy(update={"id": str(at)}) for at, item in enumerate(items)]
    engine: Engine = request.app.state.engine

    async def score(left: Sequence[Item], now: float, left_ms: int) -> list[Result]:
        batch = RewardRequest(
            request_id=request_id_of(request), deadline_ms=left_ms, items=list(left)
        )
        return (await engine.score(batch, received=now, key=key_of(request))).results

    due = request.state.received + _hold_s(request, within_s)
    return await while_present(request, _patiently(numbered, score, _undecided, due))


async def decide_one(request: Request, item: Item, *, within_s: float) -> Result:
    """The result of a protocol's only item; as `decide`."""
    return (await decide(request, [item], within_s=within_s))[0]


async def execute(request: Request, runs: Sequence[RunSpec], *, within_s: float) -> list[RunResult]:
    """What became of every program; tried for as long as `decide` does."""
    numbered = [run.model_copy(update={"id": str(at)}) for at, run in enumerate(runs)]
    engine: Engine = request.app.state.engine

    async def run(left: Sequence[RunSpec], now: float, left_ms: int) -> list[RunResult]:
        wanted = ExecuteRequest(
            request_id=request_id_of(request), deadline_ms=left_ms, runs=list(left)
        )
        return (await engine.execute(wanted, received=now, key=key_of(request))).results

    due = request.state.received + _hold_s(request, within_s)
    return await while_present(request, _patiently(numbered, run, _not_run, due))


async def _patiently(
    items: Sequence[Asked],
    send: Callable[[Sequence[Asked], float, int], Awaitable[list[Told]]],
    failed: Callable[[Asked, ErrorInfo], Told],
    due: float,
) -> list[Told]:
    """Send, and send again what failed for a reason that may pass, until `due` on the clock."""
    results: dict[str, Told] = {}
    while left := [item for item in items if _may_change(results.get(item.id))]:
        now = time.monotonic()
        left_ms = max(1, min(600_000, int((due - now) * 1000)))
        try:
            results.update((one.id, one) for one in await send(left, now, left_ms))
        except (Overloaded, InfraError) as error:
            why = _told_why(error)
            results.update((item.id, failed(item, why)) for item in left)
        if time.monotonic() + PAUSE_S >= due:
            break
        await asyncio.sleep(PAUSE_S * random.random())  # noqa: S311 - spreads the load
    return [results[item.id] for item in items]


def _told_why(error: Overloaded | InfraError) -> ErrorInfo:
    code = error.code if isinstance(error, InfraError) else "overloaded"
    return ErrorInfo(code=code, stage="queue", message=str(error), retryable=True, attempts=1)


def _not_run(spec: RunSpec, why: ErrorInfo) -> RunResult:
    return RunResult(id=spec.id, status="error", error=why)


def _undecided(item: Item, why: ErrorInfo) -> Result:
    return Result(
        id=item.id,
        index=0,
        status="error",
        reward=None,
        mask_sample=True,
        components={},
        error=why,
        flags=[],
        metadata={},
    )


def _may_change(result: Answered | None) -> bool:
    return result is None or (result.error is not None and result.error.retryable)


def _hold_s(request: Request, default: float) -> float:
    try:
        return min(600.0, max(0.001, float(request.query_params.get("hold_s", default))))
    except ValueError:
        return default


def code_of(result: Result) -> str:
    """Why there is no reward, as a stable name."""
    return result.error.code if result.error else result.status


def reward_of(result: Result, choice: OnFailure) -> float:
    """The reward; without one the 0 that the caller asked for, or NotDecided, answered by 503."""
    if result.reward is None and choice == "refuse":
        raise NotDecided(code_of(result))
    return float(result.reward or 0.0)


def share_of(result: Result) -> float:
    """The reward as a share of the highest one possible, from 0 to 1."""
    highest = sum(part.weight for part in result.components.values() if part.weight > 0)
    return min(1.0, max(0.0, (result.reward or 0.0) / highest)) if highest else 0.0


def is_correct(result: Result) -> bool:
    """Whether every rule that was paid for is met."""
    paid = [part for part in result.components.values() if part.weight > 0]
    return bool(paid) and all(part.verdict == "correct" for part in paid)


def terms_of(result: Result) -> dict[str, float]:
    """What each component added to the reward."""
    return {
        name: part.weight * part.score if part.score is not None and part.counted else 0.0
        for name, part in result.components.items()
    }
