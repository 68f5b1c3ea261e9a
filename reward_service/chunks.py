"""
Batch -> evaluations -> jobs: what is the same work, what runs inline, what is queued.

An evaluation is one verifier applied to one attempt. Equal evaluations are done once, however
many items of the batch ask for them.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from uuid import uuid4

from pydantic import ValidationError
from pydantic_core import to_json

from reward_service import tracing
from reward_service.broker.base import Job
from reward_service.errors import BadTask
from reward_service.extract import opens_thought
from reward_service.origins import Origin
from reward_service.schemas import Item, Message, Preset, RewardRequest, Task, VerifierSpec
from reward_service.surrogates import REPLACED
from reward_service.verdicts import Outcome
from reward_service.verifiers import VERIFIERS
from reward_service.verifiers.apply import verifier_of
from reward_service.verifiers.base import Attempt, Place, Verifier

INLINE_MAX_CHARACTERS = 32_768  # some 4 ms of the event loop
CHUNK_ITEMS = 16  # the knee of the measured throughput curve
CHUNK_BYTES = 262_144
ORIGINS_KEPT = 4
"""Of the items that ask for one evaluation, how many its worker can name in its log."""
SMALL_PARAMS = 4_096
"""Characters up to which parameters are remembered, since most requests repeat them."""
_UNION_BRANCHES = frozenset({"stdin", "function"})  # in pydantic's paths, and no field's name


PRESETS: dict[Preset, tuple[VerifierSpec, ...]] = {
    "r1-zero": (VerifierSpec(name="math"), VerifierSpec(name="format")),
    "r1": (
        VerifierSpec(name="math"),
        VerifierSpec(name="format"),
        VerifierSpec(name="language", params={"target": "prompt"}),
    ),
}
"""DeepSeek-R1: accuracy and format with equal weight, eq. 4; language consistency added, eq. 7."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One verifier, with its parameters as canonical JSON, applied to one attempt."""

    verifier: str
    params: str
    attempt: Attempt

    @property
    def size(self) -> int:
        """Characters that travel with it."""
        return sum(map(len, self.texts))

    @property
    def texts(self) -> tuple[str, ...]:
        """What it holds; all but the completion is shared by the items of a task."""
        attempt = self.attempt
        return (self.params, attempt.completion, attempt.prompt or "", *attempt.ground_truth)


_Asked = tuple[Evaluation, list[Origin]]


@dataclass(frozen=True, slots=True)
class Want:
    """Where an evaluation runs, and the first of the items that ask for it."""

    place: Place
    origins: list[Origin]

    def join(self, origins: Iterable[Origin]) -> None:
        """Others ask for the same."""
        self.origins.extend(islice(origins, ORIGINS_KEPT - len(self.origins)))


Wanted = Mapping[Evaluation, Want]


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of an evaluation, with its waiting and running time in milliseconds."""

    outcome: Outcome
    queue_ms: float = 0.0
    run_ms: float = 0.0
    is_cached: bool = False
    """Known from before; the times are those of looking it up."""


@dataclass(frozen=True, slots=True)
class Part:
    """One weighted verifier of an item."""

    name: str
    weight: float
    gate: str | None
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Planned:
    """One item, resolved against its task."""

    item: Item
    parts: tuple[Part, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    weight: float
    gate: str | None
    params: str
    verifier: Verifier


class Plan:
    """A request, resolved and validated; BadTask names the field that cannot be graded.

    `languages` are those that programs can be run in, None while that is unknown.
    """

    def __init__(self, batch: RewardRequest, languages: Collection[str] | None = None) -> None:
        self._languages = languages
        self._shared: dict[str, tuple[_Rule, ...]] = {}
        self._prompts = {name: _prompt_text(task.prompt) for name, task in batch.tasks.items()}
        self._batch = batch
        _refuse_duplicates([item.id for item in batch.items], "items.{}.id", "id")
        for task_id, task in batch.tasks.items():
            if task.verifiers is not None:
                self._shared[task_id] = self._rules(task.verifiers, f"tasks.{task_id}.verifiers")
        self.items = tuple(self._resolve(i, item) for i, item in enumerate(batch.items))

    def evaluations(self) -> dict[Evaluation, Want]:
        """Every distinct evaluation, in the order of the items."""
        request_id = self._batch.request_id or ""
        wanted: dict[Evaluation, Want] = {}
        for planned in self.items:
            origin = request_id, planned.item.id
            for part in planned.parts:
                fresh = Want(_place(part), [origin])
                if (want := wanted.setdefault(part.evaluation, fresh)) is not fresh:
                    want.join([origin])
        return wanted

    def _resolve(self, index: int, item: Item) -> Planned:
        where = f"items.{index}"
        task = Task()
        if item.task_id is not None:
            if item.task_id not in self._batch.tasks:
                raise BadTask(f"{where}.task_id", "no such task in `tasks`, and none stored")
            task = self._batch.tasks[item.task_id]
        if item.verifiers is not None:
            rules = self._rules(item.verifiers, f"{where}.verifiers")
        else:
            rules = self._shared.get(item.task_id or "", ())
        if not rules:
            raise BadTask(f"{where}.verifiers", "neither the item nor its task names a verifier")
        if (completion := _completion_text(item.completion)) is None:
            raise BadTask(f"{where}.completion", "no message has the role `assistant`")
        if (prompt := _prompt_text(item.prompt)) is None:
            prompt = self._prompts.get(item.task_id or "")
        truth = item.ground_truth if item.ground_truth is not None else task.ground_truth
        attempt, flags = _attempt(item, completion, prompt, truth)
        for rule in rules:
            if rule.verifier.needs_ground_truth and not attempt.ground_truth:
                raise BadTask(f"{where}.ground_truth", f"verifier {rule.name!r} needs one")
        parts = tuple(
            Part(rule.name, rule.weight, rule.gate, Evaluation(rule.name, rule.params, attempt))
            for rule in rules
        )
        return Planned(item, parts, flags)

    def _rules(self, given: Sequence[VerifierSpec] | Preset, where: str) -> tuple[_Rule, ...]:
        specs = PRESETS[given] if isinstance(given, str) else given
        names = [spec.name for spec in specs]
        _refuse_duplicates(names, where + ".{}.name", "verifier")
        for i, spec in enumerate(specs):
            if spec.gate is not None and (spec.gate not in names or spec.gate == spec.name):
                raise BadTask(f"{where}.{i}.gate", "must name another verifier of the same list")
        return tuple(_rule(spec, f"{where}.{i}", self._languages) for i, spec in enumerate(specs))


def jobs_for(
    wanted: Wanted, *, deadline: float, callers: Sequence[tracing.Caller]
) -> list[Job[Evaluation]]:
    """All that is to be queued for `callers`, as jobs."""
    pool = [(e, want.origins) for e, want in wanted.items() if want.place == "pool"]
    programs = [(e, want.origins) for e, want in wanted.items() if want.place == "sandbox"]
    jobs = traced(_cut(pool, deadline), callers)
    return jobs + traced(singles(programs, deadline=deadline), callers)


def singles(asked: Iterable[_Asked], *, deadline: float) -> list[Job[Evaluation]]:
    """A program is a job of its own: all its test cases, one sandbox slot."""
    counted: set[int] = set()
    return [_job("sandbox", [one], deadline, counted) for one in asked]


def traced(jobs: list[Job[Evaluation]], callers: Sequence[tracing.Caller]) -> list[Job[Evaluation]]:
    """Jobs of one kind that carry the trace of who asks for them, where there is one."""
    if not jobs or not callers:
        return jobs
    items = sum(job.items for job in jobs)
    trace = tracing.send(jobs[0].kind, callers, jobs=len(jobs), items=items)
    return [replace(job, trace=trace) for job in jobs]


def _cut(asked: Iterable[_Asked], deadline: float) -> list[Job[Evaluation]]:
    """Chunks of at most 16 evaluations with one reference, so that a worker parses it once."""
    counted: set[int] = set()
    return [
        _job("pool", chunk, deadline, counted)
        for _, run in groupby(asked, key=lambda one: (one[0].params, one[0].attempt.ground_truth))
        for chunk in _slices(run)
    ]


def _job(kind: str, chunk: list[_Asked], deadline: float, counted: set[int]) -> Job[Evaluation]:
    """A job whose size leaves out the texts that other jobs of the batch hold already.

    Tests can be megabytes, and a group of a hundred completions holds them once.
    """
    texts = {id(text): text for evaluation, _ in chunk for text in evaluation.texts}
    size = sum(len(text) for key, text in texts.items() if key not in counted)
    counted.update(texts)
    payload = [evaluation for evaluation, _ in chunk]
    origins = [origins for _, origins in chunk]
    return Job(uuid4().hex, kind, payload, size, deadline, origins=origins)


def time_left(deadline: float) -> float:
    """Seconds until `deadline` (`time.monotonic()`), never negative."""
    return max(0.0, deadline - time.monotonic())


def _slices(run: Iterable[_Asked]) -> Iterator[list[_Asked]]:
    chunk: list[_Asked] = []
    size = 0
    for one in run:
        evaluation, _ = one
        if chunk and (len(chunk) == CHUNK_ITEMS or size + evaluation.size > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += evaluation.size
    if chunk:
        yield chunk


def _place(part: Part) -> Place:
    place = VERIFIERS[part.name].place
    if place == "inline" and len(part.evaluation.attempt.completion) > INLINE_MAX_CHARACTERS:
        return "pool"
    return place


def _rule(spec: VerifierSpec, where: str, languages: Collection[str] | None) -> _Rule:
    if spec.name not in VERIFIERS:
        raise BadTask(f"{where}.name", "unknown verifier; known: " + ", ".join(VERIFIERS))
    params = to_json(spec.params)  # validated as JSON, or strict mode would refuse lists as tuples
    try:
        verifier = _verifier(spec.name, params.decode(), languages)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        named = (str(part)[:64] for part in first["loc"] if part not in _UNION_BRANCHES)
        path = ".".join([f"{where}.params", *named])
        raise BadTask(path, first["msg"]) from None
    return _Rule(spec.name, spec.weight, spec.gate, params.decode(), verifier)


def _verifier(name: str, params: str, languages: Collection[str] | None) -> Verifier:
    if VERIFIERS[name].place != "sandbox" and len(params) <= SMALL_PARAMS:
        return verifier_of(name, params)
    return VERIFIERS[name].model_validate_json(params, context={"languages": languages})


def _refuse_duplicates(values: Sequence[str], field: str, what: str) -> None:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if first.setdefault(value, index) != index:
            raise BadTask(field.format(index), f"same {what} as at position {first[value]}")


def _attempt(
    item: Item, completion: str, prompt: str | None, truth: str | list[str] | None
) -> tuple[Attempt, tuple[str, ...]]:
    completion, flags = _clean(completion)
    prefilled = item.think_prefilled
    if prefilled is None:
        prefilled = opens_thought(prompt)
    if item.finish_reason == "length":
        flags = (*flags, "truncated")
    attempt = Attempt(
        completion=completion,
        prompt=prompt,
        ground_truth=(truth,) if isinstance(truth, str) else tuple(truth or ()),
        think_prefilled=prefilled,
        finish_reason=item.finish_reason,
    )
    return attempt, flags


def _prompt_text(prompt: str | list[Message] | None) -> str | None:
    if prompt is None or isinstance(prompt, str):
        return prompt
    return "\n".join(message.content for message in prompt)


def _completion_text(completion: str | list[Message]) -> str | None:
    """A string as it is; of messages the last assistant's, its separate thought put in tags."""
    if isinstance(completion, str):
        return completion
    for message in reversed(completion):
        if message.role == "assistant":
            thought = message.reasoning_content
            prefix = "" if thought is None else f"<think>{thought}</think>"
            return prefix + message.content
    return None


_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


def _clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Text that any rule can read: what stood for a lone surrogate becomes U+FFFD, and is told."""
    flags = []
    if REPLACED in text:
        text = text.replace(REPLACED, "\ufffd")
        flags.append("invalid_unicode")
    if len(text.translate(_CONTROL)) != len(text):
        flags.append("control_characters")
    return text, tuple(flags)
