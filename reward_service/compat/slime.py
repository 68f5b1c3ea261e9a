"""
slime and miles: `--rm-type remote_rm --rm-url http://host:8000/compat/slime`.

The body of the answer is the reward. slime tries a 503 ten times and then raises; miles raises at
once, so both are held first. `?full=1` answers an object, for `--reward-key reward`.
"""

from typing import Any

from fastapi import Request
from pydantic import TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import (
    CurrentLabels,
    code_of,
    data_source,
    decide_one,
    foreign_router,
    is_correct,
    on_failure,
    reward_of,
    terms_of,
)
from reward_service.compat.labels import prompt_of

WITHIN_S = 100.0  # slime gives up after 120 s, miles after 300

router = foreign_router()


class Sample(Foreign):
    """One sample; its metadata is not sent."""

    prompt: Any = None
    response: str
    label: Any = None


_BODY = TypeAdapter(Sample)


@router.post("/compat/slime")
async def score_sample(request: Request, labels: CurrentLabels) -> float | dict[str, Any]:
    """Score one response against its label."""
    body = await read(request, _BODY)
    item = labels.item(
        body.response,
        body.label,
        prompt=prompt_of(body.prompt),
        data_source=data_source(request),
    )
    result = await decide_one(request, item, within_s=WITHIN_S)
    reward = reward_of(result, on_failure(request, default="refuse"))
    if "full" not in request.query_params:
        return reward
    return {
        "reward": reward,
        "correct": is_correct(result),
        "components": terms_of(result),
        "infra_error": code_of(result) if result.reward is None else None,
    }
