"""
Hosted trainers that call a reward of the user's: Gemini's RL tuning, Nova's, eval-protocol's.

Gemini: `POST /compat/vertex` behind Cloud Run; a failure is a 503. Nova: a Lambda that forwards its
list to `POST /compat/nova`; a failure is a 0 with the metric `infra_error`. eval-protocol:
`POST /evaluate`; a failure is `is_score_valid: false`.
"""

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import (
    CurrentLabels,
    code_of,
    data_source,
    decide,
    decide_one,
    foreign_router,
    on_failure,
    reward_of,
)
from reward_service.compat.labels import prompt_of
from reward_service.errors import BadTask
from reward_service.schemas import MAX_ITEMS, Result

WITHIN_S = 50.0  # what a hosted caller waits is not published; a Lambda may take 15 minutes

router = foreign_router()
Json = dict[str, Any]


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


@router.post("/compat/vertex")
async def vertex(request: Request, labels: CurrentLabels) -> Json:
    """Score one response of a Gemini tuning job."""
    body = await read(request, _VERTEX)
    item = labels.item(
        _vertex_completion(body.response),
        _reference(body.example.references),
        prompt="\n".join(_text(content) for content in body.example.contents) or None,
        data_source=data_source(request, _named(body.example.references)),
    )
    result = await decide_one(request, item, within_s=WITHIN_S)
    reward = reward_of(result, on_failure(request, default="refuse"))
    return {"reward": reward, "user_requested_aux_info": _why(result)}


class NovaSample(Foreign):
    """One element of the list that a Nova reward Lambda gets."""

    id: str
    messages: Annotated[list[Json], Field(min_length=1)]
    metadata: Json = Field(default_factory=dict)
    reference_answer: Any = None


@router.post("/compat/nova")
async def nova(request: Request, labels: CurrentLabels) -> list[Json]:
    """Score the list that a Nova reward Lambda was called with."""
    samples = await read(request, _NOVA)
    items = []
    for sample in samples:
        reference = sample.reference_answer
        if reference is None:
            reference = sample.metadata.get("reference_answer")
        source = data_source(request, _named(sample.metadata))
        completion = _last_answer(sample.messages)
        items.append(labels.item(completion, _reference(reference), data_source=source))
    results = await decide(request, items, within_s=WITHIN_S)
    choice = on_failure(request, default="zero")
    return [
        {
            "id": sample.id,
            "aggregate_reward_score": reward_of(result, choice),
            "metrics_list": [
                {"name": "infra_error", "value": float(result.reward is None), "type": "Metric"},
                *_nova_metrics(result),
            ],
        }
        for sample, result in zip(samples, results, strict=True)
    ]


class Evaluated(Foreign):
    """What eval-protocol sends."""

    messages: Annotated[list[Json], Field(min_length=1)]
    ground_truth: Any = None
    options: Annotated[Json, Field(alias="kwargs")] = Field(default_factory=dict)


@router.post("/evaluate")
async def evaluate(request: Request, labels: CurrentLabels) -> Json:
    """Score the last message of a conversation, for eval-protocol."""
    body = await read(request, _EVALUATION)
    label = body.ground_truth
    if "verifiers" in body.options:
        label = {"verifiers": body.options["verifiers"], "ground_truth": label}
    item = labels.item(
        _last_answer(body.messages),
        label,
        prompt=prompt_of(body.messages[:-1]),
        data_source=data_source(request, _named(body.options)),
    )
    result = await decide_one(request, item, within_s=WITHIN_S)
    is_valid = result.reward is not None
    return {
        "score": reward_of(result, on_failure(request, default="mask")),
        "is_score_valid": is_valid,
        "reason": _why(result),
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


_VERTEX = TypeAdapter(VertexSample)
_NOVA: TypeAdapter[list[NovaSample]] = TypeAdapter(
    Annotated[list[NovaSample], Field(min_length=1, max_length=MAX_ITEMS)]
)
_EVALUATION = TypeAdapter(Evaluated)


def _reference(found: Any) -> Any:
    """The reference; one that is wrapped as `{"answer": …}` or the like is unwrapped."""
    if not isinstance(found, dict):
        return found
    for name in ("answer", "reference_answer", "expected_answer", "label"):
        if name in found and not {"verifiers", "ground_truth"} & found.keys():
            return found[name]
    return found


def _named(found: Json) -> str | None:
    name = found.get("data_source")
    return name if isinstance(name, str) else None


def _text(content: Content) -> str:
    return "".join(part.text for part in content.parts if not part.thought)


def _vertex_completion(response: Content) -> str | list[Json]:
    thought = "".join(part.text for part in response.parts if part.thought)
    if not thought:
        return _text(response)
    return [{"role": "assistant", "content": _text(response), "reasoning_content": thought}]


def _last_answer(messages: list[Json]) -> str:
    """What the policy wrote last; content in parts, as OpenAI's, is joined."""
    last = messages[-1]
    if last.get("role") != "assistant":
        raise BadTask("messages", "the last message must be the assistant's")
    content = last.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _why(result: Result) -> str:
    if result.error is not None:
        return result.error.code
    return ", ".join(f"{name}: {part.reason}" for name, part in result.components.items())


def _nova_metrics(result: Result) -> list[Json]:
    return [
        {"name": name, "value": part.score, "type": "Reward"}
        for name, part in result.components.items()
        if part.score is not None
    ]
