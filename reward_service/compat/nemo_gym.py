"""
NeMo Gym's resources server: `/seed_session`, `/verify`, `/aggregate_metrics`, `/reverify_mode`.

NeMo RL, verifiers, prime-rl and axolotl call it too. The answer of `/verify` is the request with a
reward, which must be a number; where we failed it is 0 and three marks say that it is none, which
NeMo Gym and NeMo RL read. verifiers reads no mark, so it should send `X-Reward-On-Failure: refuse`.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from fastapi import Request
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import (
    CurrentLabels,
    NotDecided,
    code_of,
    data_source,
    decide_one,
    foreign_router,
    on_failure,
    terms_of,
)
from reward_service.compat.labels import prompt_of
from reward_service.errors import BadTask
from reward_service.schemas import Item, Result

WITHIN_S = 50.0  # verifiers waits 60 s, axolotl 30, NeMo Gym for ever
TASK_INDEX = "_ng_task_index"
FAILURE_CLASS = "_ng_failure_class"

_LABELS = ("expected_answer", "ground_truth", "answer", "label")
_OURS = ("verifiers", "task_id", "ground_truth", "data_source")

router = foreign_router()
Json = dict[str, Any]


class Row(Foreign):
    """The parts of a data set's row that are read; the rest is echoed."""

    model_config = ConfigDict(extra="allow")

    responses_create_params: Json
    response: Json
    verifier_metadata: Json = Field(default_factory=dict)
    data_source: str | None = None
    dataset: Any = None


class Answers(Foreign):
    """Stored answers of `/verify`."""

    verify_responses: list[Json]


class Output(Foreign):
    """One element of a response: a message, a thought, a call of a tool."""

    type: str = ""
    role: str = ""
    content: str | list[Json] | None = None
    summary: list[Json] | None = None


_ROW = TypeAdapter(Row)
_OUTPUTS = TypeAdapter(list[Output])
_ANSWERS = TypeAdapter(Answers)


@router.post("/seed_session")
async def seed_session() -> Json:
    """There is no session to begin: every `/verify` stands alone."""
    return {}


@router.get("/reverify_mode")
async def reverify_mode() -> str:
    """Stored rollouts may be verified again, at any time and anywhere."""
    return "stateless"


@router.post("/verify")
async def verify(request: Request, labels: CurrentLabels) -> Json:
    """Score one response; the answer repeats the request."""
    body = await read(request, _ROW)
    row = body.model_dump(exclude_unset=True)
    item = _item(request, body, row, labels)
    result = await decide_one(request, item, within_s=WITHIN_S)
    if result.reward is None:
        if on_failure(request, default="mask") == "refuse":
            raise NotDecided(code_of(result))
        return row | _masked(row, code_of(result))
    terms = terms_of(result)
    return row | {
        # NeMo RL insists that the sum is equal, to the last bit
        "reward": float(sum(terms.values())),
        "reward_components": terms,
        "mask_sample": False,
        "extracted_answer": _extracted(result),
        "verdicts": {name: part.verdict for name, part in result.components.items()},
    }


@router.post("/aggregate_metrics")
async def aggregate_metrics(request: Request) -> Json:
    """Statistics of every number in stored answers, by task and over all; masked ones left out."""
    body = await read(request, _ANSWERS)
    rows = [row for row in body.verify_responses if not row.get("mask_sample")]
    groups: dict[int, list[Json]] = defaultdict(list)
    for row in rows:
        groups[row.get(TASK_INDEX, 0)].append(row)
    overall = _statistics(rows)
    return {
        "group_level_metrics": [
            {**_statistics(groups[index]), TASK_INDEX: index} for index in sorted(groups)
        ],
        "agent_metrics": overall,
        "key_metrics": {name: value for name, value in overall.items() if name[:5] == "mean/"},
    }


def _item(request: Request, row: Row, given: Json, labels: CurrentLabels) -> Item:
    own = {key: given[key] for key in _OURS if given.get(key) is not None}
    label: Any = own if {"verifiers", "task_id"} & own.keys() else None
    if label is None:
        tests = row.verifier_metadata.get("unit_tests")
        label = tests or next((given[key] for key in _LABELS if given.get(key) is not None), None)
    elif "ground_truth" not in own:
        found = next((given[key] for key in _LABELS if given.get(key) is not None), None)
        label = own if found is None else {**own, "ground_truth": found}
    source = row.data_source or (row.dataset if isinstance(row.dataset, str) else None)
    return labels.item(
        _completion(row.response),
        label,
        prompt=prompt_of(row.responses_create_params.get("input")),
        data_source=data_source(request, source),
    )


def _completion(response: Json) -> str | list[Json]:
    """The last message that the policy wrote, with the thought before it."""
    try:
        outputs = _OUTPUTS.validate_python(response.get("output"))
    except ValidationError as error:
        raise BadTask("response.output", error.errors()[0]["msg"]) from None
    thought, text = "", ""
    for output in outputs:
        if output.type == "reasoning":
            thought = "\n".join([*_texts(output.summary), *_texts(output.content)])
        elif output.type == "message" and output.role == "assistant":
            text = "".join(_texts(output.content))
    if not thought:
        return text
    return [{"role": "assistant", "content": text, "reasoning_content": thought}]


def _texts(parts: str | list[Json] | None) -> list[str]:
    if isinstance(parts, str):
        return [parts]
    return [part["text"] for part in parts or [] if isinstance(part.get("text"), str)]


def _masked(row: Json, code: str) -> Json:
    config = row.get("instance_config")
    return {
        "reward": 0.0,
        "mask_sample": True,
        "instance_config": {**(config if isinstance(config, dict) else {}), "mask_sample": True},
        FAILURE_CLASS: code,
    }


def _extracted(result: Result) -> str | None:
    found = (part.details.get("extracted") for part in result.components.values())
    return next((text for text in found if isinstance(text, str)), None)


def _statistics(rows: list[Json]) -> Json:
    """`mean/reward` and the like, under the names that NeMo Gym's own servers give them."""
    numbers: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float) and not name.startswith("_ng_"):
                numbers[name].append(float(value))
    return {
        f"{kind}/{name}": of(values)
        for name, values in numbers.items()
        for kind, of in _KINDS.items()
    }


def _deviation(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


_KINDS: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "max": max,
    "min": min,
    "median": statistics.median,
    "std": _deviation,
}
