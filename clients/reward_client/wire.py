"""
The service's answers, as dictionaries whose keys a type checker knows.

They stay plain dictionaries, so that they can be logged, pickled and put into a data frame as they
came; keys that a later service adds are kept.
"""

from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic cannot read typing's own before Python 3.12

Json = dict[str, Any]
_open = with_config(ConfigDict(extra="allow"))


@_open
class ErrorInfo(TypedDict):
    """Why there is no score: the service failed, the completion did not."""

    code: str
    stage: str
    message: str
    retryable: bool
    attempts: int


@_open
class Component(TypedDict):
    """One verifier's part of a result."""

    status: Literal["scored", "error", "skipped"]
    score: float | None
    weight: float
    counted: bool
    verdict: str | None
    reason: str
    details: Json
    cached: bool
    error: ErrorInfo | None


@_open
class Result(TypedDict):
    """The answer for one item."""

    id: str
    index: int
    status: Literal["scored", "error", "skipped"]
    reward: float | None
    mask_sample: bool
    components: dict[str, Component]
    error: ErrorInfo | None
    flags: list[str]
    metadata: Json


@_open
class Summary(TypedDict):
    """Counts over the batch."""

    count: int
    scored: int
    errors: int
    skipped: int
    mean_reward: float | None
    elapsed_ms: float


@_open
class Rewards(TypedDict):
    """Answer of `POST /v1/rewards`: rewards in the order of the items, and the reasons."""

    request_id: str
    rewards: list[float | None]
    results: list[Result]
    summary: Summary


REWARDS: TypeAdapter[Rewards] = TypeAdapter(Rewards)
RESULT: TypeAdapter[Result] = TypeAdapter(Result)
JSON_OBJECT: TypeAdapter[Json] = TypeAdapter(Json)
