"""eval-protocol's `POST /evaluate`; a failure is `is_score_valid: false`."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.conversations import WITHIN_S, Json, last_answer, named_source, why
from reward_service.compat.door import (
    CurrentLabels,
    code_of,
    data_source,
    decide_one,
    foreign_router,
    on_failure,
    reward_of,
)
from reward_service.compat.labels import prompt_of

router = foreign_router()


class Evaluated(Foreign):
    """What eval-protocol sends."""

    messages: Annotated[list[Json], Field(min_length=1)]
    ground_truth: Any = None
    options: Annotated[Json, Field(alias="kwargs")] = Field(default_factory=dict)


_BODY = TypeAdapter(Evaluated)


@router.post("/evaluate")
async def evaluate(request: Request, labels: CurrentLabels) -> Json:
    """Score the last message of a conversation, for eval-protocol."""
    body = await read(request, _BODY)
    label = body.ground_truth
    if "verifiers" in body.options:
        label = {"verifiers": body.options["verifiers"], "ground_truth": label}
    item = labels.item(
        last_answer(body.messages),
        label,
        prompt=prompt_of(body.messages[:-1]),
        data_source=data_source(request, named_source(body.options)),
    )
    result = await decide_one(request, item, within_s=WITHIN_S)
    is_valid = result.reward is not None
    return {
        "score": reward_of(result, on_failure(request, default="mask")),
        "is_score_valid": is_valid,
        "reason": why(result),
        "metrics": {
            name: {
                "score": part.score or 0.0,
                "is_score_valid": part.score is not None,
                "reason": part.reason,
            }
            for name, part in result.components.items()
        },
        "error": None if is_valid else code_of(result),
    }
