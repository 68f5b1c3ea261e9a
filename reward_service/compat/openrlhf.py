"""
OpenRLHF: `--reward.remote_url http://host:8000/get_reward`.

Its client waits 180 s, tries five times a second apart, and then takes the run for one with a
reward model and ends it; a null ends it too. So a failure of ours is held and tried again, and at
the end it is a 0 that `extra_logs.infra_error` marks; `?on_failure=refuse` prefers the run to end.
"""

import re
from typing import Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import (
    CurrentLabels,
    data_source,
    decide,
    foreign_router,
    is_correct,
    on_failure,
    reward_of,
    share_of,
)
from reward_service.errors import BadTask
from reward_service.schemas import MAX_ITEMS

WITHIN_S = 165.0  # the client gives up after 180 s
MAX_MARK = 64  # characters that a tokenizer may put before the prompt, such as `<s>`

_END_MARKS = re.compile(
    r"(?:\s{0,8}(?:<\|[^<>|\s]{1,40}\|>|</s>|<eos>|<end_of_turn>)){1,8}\s{0,8}$"
)

router = foreign_router()


class GetReward(Foreign):
    """Parallel lists; `query` is prompt and response as the tokenizer wrote them."""

    query: list[str] = Field(min_length=1, max_length=MAX_ITEMS)
    prompts: list[str] = Field(default_factory=list)
    labels: list[Any] = Field(default_factory=list)


_BODY = TypeAdapter(GetReward)


@router.post("/get_reward")
async def get_reward(request: Request, labels: CurrentLabels) -> dict[str, Any]:
    """Score each query against its label."""
    body = await read(request, _BODY)
    if len(body.labels) != len(body.query) or len(body.prompts) not in (0, len(body.query)):
        raise BadTask("labels", "one label, and one prompt or none, for each query")
    source = data_source(request)
    items = [
        labels.item(
            _response(body, at), body.labels[at], prompt=_prompt(body, at), data_source=source
        )
        for at in range(len(body.query))
    ]
    results = await decide(request, items, within_s=WITHIN_S)
    choice = on_failure(request, default="zero")
    return {
        "rewards": [reward_of(result, choice) for result in results],
        "scores": [share_of(result) for result in results],
        "extra_logs": {
            "correct": [float(is_correct(result)) for result in results],
            "infra_error": [float(result.reward is None) for result in results],
        },
    }


def _prompt(body: GetReward, at: int) -> str | None:
    return body.prompts[at] if body.prompts else None


def _response(body: GetReward, at: int) -> str:
    """What the policy wrote: the query after its prompt, without the tokenizer's end marks.

    A query whose prompt is not found is refused, since an answer might be read from the prompt.
    """
    query = body.query[at]
    if body.prompts:
        start = query.find(body.prompts[at], 0, MAX_MARK + len(body.prompts[at]))
        if start < 0:
            raise BadTask(f"query.{at}", "does not begin with its prompt")
        query = query[start + len(body.prompts[at]) :]
    marks = _END_MARKS.search(query, max(0, len(query) - 400))
    return query[: marks.start()] if marks else query
