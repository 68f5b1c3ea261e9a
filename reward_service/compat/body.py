"""A foreign request's body: bounded like our own, and lenient about fields that we do not use."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reward_service.api.body import Intake
from reward_service.api.parsing import decode
from reward_service.api.refusals import MAX_PROBLEMS, Refusal, invalid
from reward_service.schemas import Problem

T = TypeVar("T")


class Foreign(BaseModel):
    """Base of other projects' requests; fields that it does not name are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


async def read(request: Request, kind: TypeAdapter[T]) -> T:
    """The body as a `kind`. Raises Refusal."""
    intake: Intake = request.app.state.intake
    body = await intake.read(request)
    try:
        found, _ = decode(kind.validate_json, body)
    except ValidationError as error:
        raise _refusal(error) from None
    return found


def _refusal(error: ValidationError) -> Refusal:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        Problem(field=".".join(map(str, one["loc"]))[:200] or "body", message=one["msg"][:300])
        for one in found[:MAX_PROBLEMS]
    ]
    return invalid(problems, len(found))
