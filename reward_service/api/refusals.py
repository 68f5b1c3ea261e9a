"""
Every 4xx and 5xx answer, in one shape and under 16 KB, without a word of the request's values.

A problem names its field by a dotted path, `items.3.completion`. Pydantic's paths also name the
branch of a union that was tried; those parts are dropped, and the branches' messages joined.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from reward_service.errors import BadTask, Conflict, InfraError, Overloaded
from reward_service.run_schemas import ExecuteRequest
from reward_service.schemas import ErrorResponse, Problem, RewardRequest

MAX_PROBLEMS = 20
MAX_EXAMINED = 20_000  # some 0.1 s; enough to count two wrong fields in each of 10,000 items
MAX_NAME = 64
MAX_PATH = 200
MAX_MESSAGE = 300
Path = tuple[str, ...]
RETRY_AFTER_S = 5  # a sandbox slot or a worker process is back within this on a healthy host


@dataclass(eq=False)
class Refusal(Exception):
    """The whole request is refused with HTTP `status`."""

    status: int
    code: str
    message: str
    problems: list[Problem] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, request_id: str | None) -> Response:
        """The answer to send."""
        body = ErrorResponse(
            code=self.code, message=self.message, problems=self.problems, request_id=request_id
        )
        return Response(
            body.model_dump_json(),
            self.status,
            headers=dict(self.headers),
            media_type="application/json",
        )


def invalid(problems: Sequence[Problem], count: int, *, is_all: bool = True) -> Refusal:
    """422 with the first of `count` problems; there are more of them unless `is_all`."""
    named = list(problems[:MAX_PROBLEMS])
    message = "1 problem" if count == 1 else f"{count} problems"
    if not is_all:
        message = f"more than {message}"
    if count > len(named):
        message += f", of which the first {len(named)} are named"
    return Refusal(422, "invalid_request", f"The request has {message}.", named)


def from_task(error: BadTask) -> Refusal:
    """422 for a request that is well formed and cannot be graded as written."""
    return invalid([_problem(error.field.split("."), error.message)], 1)


def from_overload(error: Overloaded) -> Refusal:
    """429, with the seconds after which to ask again."""
    after = str(max(1, round(error.retry_after_s)))
    return Refusal(429, "overloaded", str(error), headers={"Retry-After": after})


def from_conflict(error: Conflict) -> Refusal:
    """409 or 422, and when to ask again if that helps."""
    after = error.retry_after_s
    headers = {} if after is None else {"Retry-After": str(max(1, round(after)))}
    return Refusal(error.status, error.code, str(error), headers=headers)


def from_infra(error: InfraError) -> Refusal:
    """503: a part that the whole request needs is down; `code` names it, as it would an item."""
    message = _shorten(f"Nothing was scored, see /readyz: {error}", MAX_MESSAGE)
    return Refusal(503, error.code, message, headers={"Retry-After": str(RETRY_AFTER_S)})


def from_validation(error: ValidationError) -> Refusal:
    """422 naming the first fields that do not fit the schema."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    messages: dict[Path, list[str]] = {}
    for one in found[:MAX_EXAMINED]:
        is_unknown = one["type"] == "extra_forbidden"
        message = "There is no such field" if is_unknown else one["msg"]
        messages.setdefault(_path(one["loc"], is_unknown=is_unknown), []).append(message)
    # A field that is wrong inside was of the right type: what the union's other branches
    # say about the whole of it is noise.
    outer = {path[:depth] for path in messages for depth in range(len(path))}
    paths = [path for path in messages if path not in outer]
    problems = [
        _problem(path, "; or: ".join(dict.fromkeys(messages[path])))
        for path in paths[:MAX_PROBLEMS]
    ]
    return invalid(problems, len(paths), is_all=len(found) <= MAX_EXAMINED)


def request_id_of(request: Request) -> str | None:
    """The id under which this request is logged and answered."""
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


def _path(loc: tuple[int | str, ...], *, is_unknown: bool) -> Path:
    """The location without the names of union branches, which are neither fields nor keys."""
    last = len(loc) - 1
    return tuple(
        str(part)
        for at, part in enumerate(loc)
        if isinstance(part, int)
        or part in _FIELDS
        or (at == 1 and loc[0] == "tasks")
        or (at == last and is_unknown)
    )


def _problem(path: Sequence[str], message: str) -> Problem:
    dotted = _shorten(".".join(map(_name, path)), MAX_PATH)
    return Problem(field=dotted or "body", message=_shorten(message, MAX_MESSAGE))


def _name(text: str) -> str:
    plain = "".join(char if char.isprintable() else "\ufffd" for char in text[: MAX_NAME + 1])
    return _shorten(plain, MAX_NAME)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fields(model: type[BaseModel]) -> Iterable[str]:
    schema: dict[str, Any] = model.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        yield from part.get("properties", {})


_FIELDS = frozenset({*_fields(RewardRequest), *_fields(ExecuteRequest)})
