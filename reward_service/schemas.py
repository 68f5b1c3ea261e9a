"""
The wire: what `POST /v1/rewards` takes and gives.

Strict and closed: a typo in `weight` must not train a model for a week. Every list and string
has a bound, and every number must be finite.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

MAX_TEXT = 2_097_152
MAX_ITEMS = 10_000
MAX_DEPTH = 64


class Wire(BaseModel):
    """Base of every wire model."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def _is_plain_json(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what other JSON readers would refuse: NaN, infinities, and unreasonable nesting."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, float) and not math.isfinite(node):
                raise PydanticCustomError("finite_number", "Numbers must be finite")
        if not below:
            return value
        level = below
    raise PydanticCustomError("too_deep", f"Nested deeper than {MAX_DEPTH} levels")


Id = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_is_plain_json)]


class Message(Wire):
    """One chat message."""

    role: Name
    content: Text
    reasoning_content: Text | None = None
    """The thought, where a server returns it apart; read as `<think>…</think>` before `content`."""


Preset = Literal["r1-zero", "r1"]
Messages = Annotated[list[Message], Field(min_length=1, max_length=1_000)]
Reference = Annotated[str, Field(max_length=65_536)]


class VerifierSpec(Wire):
    """One rule to apply, by name."""

    name: Name
    """A name that `GET /v1/verifiers` lists."""
    weight: Annotated[float, Field(ge=-1e6, le=1e6)] = 1.0
    """Factor of the component's score in the reward. 0 reports the component without paying it."""
    params: JsonObject = Field(default_factory=dict)
    """The rule's parameters; their JSON Schema is in `GET /v1/verifiers`."""
    gate: Name | None = None
    """Another verifier of the same list: this score counts only if that one's verdict is
    `correct`, and counts 0 otherwise."""


def _form(verifiers: object) -> str:
    return "by_name" if isinstance(verifiers, str) else "listed"


Verifiers = Annotated[
    Annotated[list[VerifierSpec], Field(max_length=32), Tag("listed")]
    | Annotated[Preset, Tag("by_name")],
    Discriminator(_form),  # a mistake in the list is then not told as a wrong preset too
]


class Task(Wire):
    """What the completions of a group share."""

    prompt: Text | Messages | None = None
    """What the model was given."""
    ground_truth: Reference | Annotated[list[Reference], Field(max_length=64)] | None = None
    """The reference answer; of several, any one suffices."""
    verifiers: Verifiers | None = None
    """The rules whose weighted scores sum up to the reward, or a preset of them: `r1-zero` is
    `math` and `format` with equal weight, `r1` adds `language` in the prompt's language."""


class Item(Task):
    """One completion to score. Its own task fields override those of its task."""

    id: Id
    """Chosen by the caller, returned untouched, unique within the batch."""
    task_id: Id | None = None
    """A key of the request's `tasks`."""
    completion: Text | Messages
    """The model's text, verbatim. Of chat messages the last assistant message is scored."""
    think_prefilled: bool | None = None
    """Whether the chat template already opened `<think>`. Null: true iff the prompt ends in it."""
    finish_reason: Annotated[str, Field(max_length=64)] | None = None
    """Why the model stopped; `length` flags the item as truncated."""
    metadata: JsonObject = Field(default_factory=dict)
    """Returned untouched."""


class RewardRequest(Wire):
    """A batch to score."""

    request_id: Id | None = None
    """Returned untouched; made up when absent."""
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 60_000
    """Milliseconds from arrival until every item is answered, scored or not."""
    lane: Literal["train", "eval"] = "train"
    """Lanes take turns: an evaluation does not wait for a rollout's burst, nor the other way."""
    tasks: Annotated[dict[Id, Task], Field(max_length=MAX_ITEMS)] = Field(default_factory=dict)
    """Shared tasks by id."""
    items: Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS)]
    """The completions, in the order in which they are answered."""


class TaskRequest(Wire):
    """Tasks to check before a training run spends completions on them."""

    request_id: Id | None = None
    """Returned untouched; made up when absent."""
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 60_000
    """Milliseconds from arrival until every task is answered."""
    tasks: Annotated[dict[Id, Task], Field(min_length=1, max_length=MAX_ITEMS)]
    """Tasks by id, as in a batch."""


class TaskProblem(Wire):
    """Why completions of a task could not be scored."""

    task_id: str
    verifier: str
    code: str
    """An error code as in results, for example `gold_unparseable`."""
    message: str


class TaskResponse(Wire):
    """Answer of `POST /v1/tasks`."""

    request_id: str
    count: int
    """How many tasks were checked."""
    gradable: int
    """How many of them have no problem."""
    problems: list[TaskProblem]


class ErrorInfo(Wire):
    """Why an item or a component has no score: we failed, the completion did not."""

    code: str
    stage: str
    message: str
    retryable: bool
    """Whether the same item may succeed when sent again."""
    attempts: int


class Timing(Wire):
    """Milliseconds. The two clocks are separate: waiting is never charged to the run."""

    queue: float
    run: float


class Component(Wire):
    """One verifier's part of an item's result."""

    status: Literal["scored", "error", "skipped"]
    score: float | None
    weight: float
    counted: bool
    """Whether the score enters the reward: false when its gate did not pass."""
    verdict: str | None
    """What was found about the policy's work; null unless scored."""
    reason: str
    """Why, as a stable snake_case code."""
    details: dict[str, Any]
    cached: bool
    """Whether an identical evaluation in this batch or the cache gave the outcome."""
    timing_ms: Timing
    error: ErrorInfo | None = None


class Result(Wire):
    """The answer for one item."""

    id: str
    index: int
    status: Literal["scored", "error", "skipped"]
    reward: float | None
    """The weighted sum; null unless every weighted component is scored."""
    mask_sample: bool
    """True when the trainer must leave this sample out of the loss and of its group's baseline."""
    components: dict[str, Component]
    error: ErrorInfo | None
    flags: list[str]
    metadata: dict[str, Any]


class Summary(Wire):
    """Counts over the batch."""

    count: int
    scored: int
    errors: int
    skipped: int
    mean_reward: float | None
    """Mean over the items with a reward; null when there are none."""
    elapsed_ms: float


class ServiceInfo(Wire):
    """Which rules gave the rewards."""

    version: str
    semantics: str


class RewardResponse(Wire):
    """Rewards in the order of the items, and the reasons."""

    request_id: str
    rewards: list[float | None]
    results: list[Result]
    summary: Summary
    service: ServiceInfo


class VerifierInfo(Wire):
    """One rule that this service knows."""

    name: str
    description: str
    needs_ground_truth: bool
    params_schema: dict[str, Any]


class VerifierList(Wire):
    """Answer of `GET /v1/verifiers`."""

    verifiers: list[VerifierInfo]


class LanguageInfo(Wire):
    """One language that programs can be run in."""

    name: str
    version: str
    """Of its compiler or interpreter, as the image's own says."""
    compiled: bool
    """Whether a program is compiled before its first test, and may end in `compile_error`."""


class LanguageList(Wire):
    """Answer of `GET /v1/languages`."""

    languages: list[LanguageInfo]


class Problem(Wire):
    """One thing wrong with a request."""

    field: str
    message: str


class ErrorResponse(Wire):
    """Body of every 4xx and 5xx answer."""

    code: str
    message: str
    problems: list[Problem] = Field(default_factory=list)
    request_id: str | None = None
