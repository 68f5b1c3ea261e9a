"""The requests that the clients know, without a connection: what is sent, what is read."""

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from reward_client.errors import BadRequest, Unreachable
from reward_client.retries import Retries
from reward_client.wire import JSON_OBJECT, REWARDS, Json, Result, Rewards

T = TypeVar("T")
Item = Mapping[str, Any]
Tasks = Mapping[str, Item]

SHORT_S = 30.0  # for calls that do no work
SPLIT = frozenset({413, 422})
URL_VARIABLE = "RULEGRADE_URL"
KEY_VARIABLE = "RULEGRADE_API_KEY"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the service is and how to talk to it; all that a pickled client keeps."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    connect_s: float = 5.0
    grace_s: float = 10.0
    """What transfer, queueing and retries may add to a deadline."""
    retries: Retries = field(default_factory=Retries)
    window_s: float = 0.01
    window_items: int = 256

    def pool_arguments(self) -> dict[str, Any]:
        """For httpx's clients. Idle connections go before the service's own 75 s are over."""
        return {
            "base_url": self.url,
            "headers": {} if self.api_key is None else {"X-API-Key": self.api_key},
            "limits": httpx.Limits(
                max_connections=100, max_keepalive_connections=100, keepalive_expiry=60.0
            ),
        }

    def timeout(self, left_s: float) -> httpx.Timeout:
        """Limits of one attempt that may take `left_s` in all."""
        return httpx.Timeout(left_s, connect=min(self.connect_s, left_s))


def options(url: str | None, api_key: str | None, **others: Any) -> Options:
    """Options; what is not given is read from RULEGRADE_URL and RULEGRADE_API_KEY."""
    found = url or os.environ.get(URL_VARIABLE)
    if not found:
        raise ValueError(f"give the service's url, or set {URL_VARIABLE}")
    return Options(found, api_key or os.environ.get(KEY_VARIABLE), **others)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, with the type of its answer and the seconds that all attempts may take."""

    method: str
    path: str
    answer: TypeAdapter[T]
    total_s: float = SHORT_S
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """For httpx's `stream` and `request`."""
        return {
            "method": self.method,
            "url": self.path,
            "content": self.content,
            "headers": self.headers,
        }

    def read(self, body: bytes) -> T:
        """The answer. Raises Unreachable for what no reward service says."""
        try:
            return self.answer.validate_json(body)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            raise Unreachable(f"{self.path}: not an answer of this service: {problem}") from error


def score(
    items: Iterable[Item], tasks: Tasks | None, deadline_ms: int, grace_s: float
) -> Call[Rewards]:
    """`POST /v1/rewards`."""
    body = {"items": list(items), "tasks": tasks or {}, "deadline_ms": deadline_ms}
    return _post("/v1/rewards", body, REWARDS, deadline_ms / 1000 + grace_s)


def check_tasks(tasks: Tasks, deadline_ms: int, grace_s: float) -> Call[Json]:
    """`POST /v1/tasks`."""
    body = {"tasks": tasks, "deadline_ms": deadline_ms}
    return _post("/v1/tasks", body, JSON_OBJECT, deadline_ms / 1000 + grace_s)


def put_task(task_id: str, task: Item) -> Call[Json]:
    """`PUT /v1/tasks/{id}`."""
    return _with_body("PUT", f"/v1/tasks/{_segment(task_id)}", task, JSON_OBJECT, SHORT_S)


def get_task(task_id: str) -> Call[Json]:
    """`GET /v1/tasks/{id}`."""
    return Call("GET", f"/v1/tasks/{_segment(task_id)}", JSON_OBJECT)


def submit(items: Iterable[Item], tasks: Tasks | None, deadline_ms: int) -> Call[Json]:
    """`POST /v1/batches`."""
    body = {"items": list(items), "tasks": tasks or {}, "deadline_ms": deadline_ms}
    return _post("/v1/batches", body, JSON_OBJECT, SHORT_S)


def poll(batch_id: str, wait_s: float) -> Call[Json]:
    """`GET /v1/batches/{id}`, answered when the batch is done or `wait_s` have passed."""
    path = f"/v1/batches/{_segment(batch_id)}?wait_s={wait_s:g}"
    return Call("GET", path, JSON_OBJECT, total_s=wait_s + SHORT_S)


def results(batch_id: str, total_s: float) -> Call[Json]:
    """`GET /v1/batches/{id}/results`, one JSON object a line."""
    headers = {"Accept": "application/x-ndjson"}
    path = f"/v1/batches/{_segment(batch_id)}/results"
    return Call("GET", path, JSON_OBJECT, total_s=total_s, headers=headers)


def execute(runs: Iterable[Item], deadline_ms: int, grace_s: float) -> Call[Json]:
    """`POST /v1/execute`."""
    body = {"runs": list(runs), "deadline_ms": deadline_ms}
    return _post("/v1/execute", body, JSON_OBJECT, deadline_ms / 1000 + grace_s)


def listing(path: str) -> Call[Json]:
    """`GET /v1/verifiers` and the like."""
    return Call("GET", path, JSON_OBJECT)


def delete_path(kind: str, name: str) -> str:
    """Path of a batch or a stored task."""
    return f"/v1/{kind}/{_segment(name)}"


def numbered(items: Sequence[Item]) -> list[Item]:
    """Items of several callers in one batch, where two may bear the same id."""
    return [{**item, "id": str(at)} for at, item in enumerate(items)]


def returned(result: Result, item: Item) -> Result:
    """A result under the id that the caller gave its item."""
    return {**result, "id": str(item.get("id", result["id"])), "index": 0}


def halves(items: Sequence[Item], error: BadRequest) -> tuple[Sequence[Item], ...]:
    """How to send a refused batch of several callers again, so that one does not spoil it for all.

    Nothing, when the refusal is not about the items, or about the only one.
    """
    if error.status not in SPLIT or len(items) < 2:
        return ()
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _post(path: str, body: Item, answer: TypeAdapter[T], total_s: float) -> Call[T]:
    return _with_body("POST", path, body, answer, total_s)


def _with_body(
    method: str, path: str, body: Item, answer: TypeAdapter[T], total_s: float
) -> Call[T]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    return Call(method, path, answer, total_s, json.dumps(body).encode(), headers)


def _segment(text: str) -> str:
    return quote(text, safe="")
