"""
Gemini's RL tuning: `cloud_run_uri` names a proxy to `POST /compat/vertex`; a failure is a 503.

The reward is clipped to -1…1 by the tuning job.
"""

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.conversations import WITHIN_S, Json, named_source, reference_in, why
from reward_service.compat.door import (
    CurrentLabels,
    data_source,
    decide_one,
    foreign_router,
    on_failure,
    reward_of,
)

router = foreign_router()


class Part(Foreign):
    """A piece of a Gemini message; `thought` marks reasoning."""

    text: str = ""
    thought: bool = False


class Content(Foreign):
    """A Gemini message."""

    parts: list[Part] = Field(default_factory=list)
    role: str = "user"


class Example(Foreign):
    """A row of a Gemini data set."""

    contents: list[Content] = Field(default_factory=list)
    references: Json = Field(default_factory=dict)


class VertexSample(Foreign):
    """What Gemini's tuning job sends."""

    example: Example
    response: Content


_BODY = TypeAdapter(VertexSample)


@router.post("/compat/vertex")
async def vertex(request: Request, labels: CurrentLabels) -> Json:
    """Score one response of a Gemini tuning job."""
    body = await read(request, _BODY)
    item = labels.item(
        _completion(body.response),
        reference_in(body.example.references),
        prompt="\n".join(_text(content) for content in body.example.contents) or None,
        data_source=data_source(request, named_source(body.example.references)),
    )
    result = await decide_one(request, item, within_s=WITHIN_S)
    reward = reward_of(result, on_failure(request, default="refuse"))
    return {"reward": reward, "user_requested_aux_info": why(result)}


def _text(content: Content) -> str:
    return "".join(part.text for part in content.parts if not part.thought)


def _completion(response: Content) -> str | list[Json]:
    thought = "".join(part.text for part in response.parts if part.thought)
    if not thought:
        return _text(response)
    return [{"role": "assistant", "content": _text(response), "reasoning_content": thought}]
