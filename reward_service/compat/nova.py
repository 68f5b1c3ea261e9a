"""
Nova's reward Lambda on Bedrock and SageMaker: it posts the list that it gets to `/compat/nova`.

The answer has no word for a failure: it is a 0 with the metric `infra_error`.
"""

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.conversations import (
    WITHIN_S,
    Json,
    last_answer,
    named_source,
    reference_in,
)
from reward_service.compat.door import (
    CurrentLabels,
    data_source,
    decide,
    foreign_router,
    on_failure,
    reward_of,
)
from reward_service.schemas import MAX_ITEMS, Result

router = foreign_router()


class NovaSample(Foreign):
    """One element of the list that a Nova reward Lambda gets."""

    id: str
    messages: Annotated[list[Json], Field(min_length=1)]
    metadata: Json = Field(default_factory=dict)
    reference_answer: Any = None


_BODY: TypeAdapter[list[NovaSample]] = TypeAdapter(
    Annotated[list[NovaSample], Field(min_length=1, max_length=MAX_ITEMS)]
)


@router.post("/compat/nova")
async def nova(request: Request, labels: CurrentLabels) -> list[Json]:
    """Score the list that a Nova reward Lambda was called with."""
    samples = await read(request, _BODY)
    items = []
    for sample in samples:
        reference = sample.reference_answer
        if reference is None:
            reference = sample.metadata.get("reference_answer")
        source = data_source(request, named_source(sample.metadata))
        completion = last_answer(sample.messages)
        items.append(labels.item(completion, reference_in(reference), data_source=source))
    results = await decide(request, items, within_s=WITHIN_S)
    choice = on_failure(request, default="zero")
    return [
        {
            "id": sample.id,
            "aggregate_reward_score": reward_of(result, choice),
            "metrics_list": [
                {"name": "infra_error", "value": float(result.reward is None), "type": "Metric"},
                *_metrics(result),
            ],
        }
        for sample, result in zip(samples, results, strict=True)
    ]


def _metrics(result: Result) -> list[Json]:
    return [
        {"name": name, "value": part.score, "type": "Reward"}
        for name, part in result.components.items()
        if part.score is not None
    ]
