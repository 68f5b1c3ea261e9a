"""
OpenAI's graders: `OpenAI(base_url="http://host:8000/v1").fine_tuning.alpha.graders.run(...)`.

`string_check`, `text_similarity`, `python` (in the sandbox) and `multi` of those. What goes wrong
is told in `metadata.errors`, as OpenAI does; the reward beside it is then 0 and none.
"""

import json
import math
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import ConfigDict, Field, TypeAdapter

from reward_service.compat.body import Foreign, read
from reward_service.compat.door import execute, foreign_router
from reward_service.compat.formula import MAX_FORMULA, BadFormula, calculate
from reward_service.compat.programs import run_spec
from reward_service.compat.similarity import MAX_LENGTH, MEASURES
from reward_service.run_schemas import RunResult
from reward_service.schemas import MAX_TEXT

WITHIN_S = 100.0
PYTHON_LIMITS = {"cpu_s": 20.0, "wall_s": 60.0, "memory_mb": 1024}
VALUE = "value.json"

_TEMPLATE = re.compile(r"\{\{\s{0,9}(item|sample)((?:\.[A-Za-z0-9_]{1,64}){1,8})\s{0,9}\}\}")

# The value travels in a file: the grader's own output may hold anything.
_RUN_GRADER = f"""\
import json
from pathlib import Path
names = {{"__name__": "grader"}}
exec(compile(Path("grader.py").read_text(), "grader.py", "exec"), names)
data = json.loads(Path("data.json").read_text())
value = float(names["grade"](data["sample"], data["item"]))
Path("{VALUE}").write_text(json.dumps(value))
"""

router = foreign_router()
Json = dict[str, Any]


class Grader(Foreign):
    """Fields that are not used here, such as `image_tag`, are given back."""

    model_config = ConfigDict(extra="allow")


class StringCheck(Grader):
    """1 if the texts compare as asked."""

    type: Literal["string_check"]
    name: str = "string_check"
    operation: Literal["eq", "ne", "like", "ilike"]
    input: str
    reference: str


class TextSimilarity(Grader):
    """A measure of how alike the texts are."""

    type: Literal["text_similarity"]
    name: str = "text_similarity"
    evaluation_metric: Literal[
        "fuzzy_match",
        "bleu",
        "gleu",
        "rouge_1",
        "rouge_2",
        "rouge_3",
        "rouge_4",
        "rouge_5",
        "rouge_l",
    ]
    input: str
    reference: str


class Python(Grader):
    """The caller's own `grade(sample, item)`."""

    type: Literal["python"]
    name: str = "python"
    source: Annotated[str, Field(max_length=MAX_TEXT)]


Single = Annotated[StringCheck | TextSimilarity | Python, Field(discriminator="type")]


class Multi(Grader):
    """Several by name, and a formula of their names."""

    type: Literal["multi"]
    name: str = "multi"
    graders: Annotated[dict[str, Single], Field(min_length=1, max_length=32)]
    calculate_output: Annotated[str, Field(max_length=MAX_FORMULA)]


AnyGrader = Annotated[StringCheck | TextSimilarity | Python | Multi, Field(discriminator="type")]


class Run(Foreign):
    """A grader, what the model wrote, and the row of the data set."""

    grader: AnyGrader
    model_sample: Annotated[str, Field(max_length=MAX_TEXT)]
    item: Any = None


class Validate(Foreign):
    """A grader alone."""

    grader: AnyGrader


_RUN = TypeAdapter(Run)
_VALIDATE = TypeAdapter(Validate)


class Fault(Exception):
    """Why there is no reward: the name of one of OpenAI's error flags, and details."""

    def __init__(self, flag: str, details: str) -> None:
        super().__init__(details)
        self.flag = flag
        self.details = details


@router.post("/v1/fine_tuning/alpha/graders/validate")
async def validate(request: Request) -> Json:
    """The grader as it came, if it can be run; 422 otherwise."""
    body = await read(request, _VALIDATE)
    return {"grader": body.grader.model_dump()}


@router.post("/v1/fine_tuning/alpha/graders/run")
async def run(request: Request) -> Json:
    """Grade one sample."""
    body = await read(request, _RUN)
    began = time.monotonic()
    data = {"item": body.item, "sample": _sample(body.model_sample)}
    rewards: dict[str, float] = {}
    fault = None
    try:
        reward = await _grade(request, body.grader, data, rewards)
    except Fault as error:
        reward, fault = 0.0, error
    return {
        "reward": reward,
        "sub_rewards": rewards,
        "metadata": {
            "name": body.grader.name,
            "type": body.grader.type,
            "errors": _errors(fault),
            "execution_time": time.monotonic() - began,
            "scores": rewards or {body.grader.name: reward},
            "token_usage": None,
            "sampled_model_name": None,
        },
        "model_grader_token_usage_per_model": {},
    }


async def _grade(
    request: Request, grader: Single | Multi, data: Json, rewards: dict[str, float]
) -> float:
    """The reward; those of a `multi` grader's parts are put into `rewards`. Raises Fault."""
    match grader:
        case Multi():
            for name, part in grader.graders.items():
                rewards[name] = await _grade(request, part, data, rewards)
            return _combined(grader.calculate_output, rewards)
        case Python():
            return await _graded_by_program(request, grader, data)
        case StringCheck():
            return _compare(grader, _filled(grader.input, data), _filled(grader.reference, data))
        case TextSimilarity():
            text, reference = _filled(grader.input, data), _filled(grader.reference, data)
            if max(len(text), len(reference)) > MAX_LENGTH:
                raise Fault("truncated_observation_error", f"over {MAX_LENGTH} characters")
            return MEASURES[grader.evaluation_metric](text, reference)


def _compare(grader: StringCheck, text: str, reference: str) -> float:
    match grader.operation:
        case "eq":
            return float(text == reference)
        case "ne":
            return float(text != reference)
        case "like":
            return float(reference in text)
        case "ilike":
            return float(reference.casefold() in text.casefold())


def _combined(formula: str, rewards: Mapping[str, float]) -> float:
    try:
        return calculate(formula, rewards)
    except KeyError as error:
        raise Fault("invalid_variable_error", f"no grader {error}") from None
    except BadFormula as error:
        raise Fault("formula_parse_error", str(error)) from None


async def _graded_by_program(request: Request, grader: Python, data: Json) -> float:
    """What the caller's function returns in the sandbox; the model's text is data to it."""
    files = {"grader.py": grader.source, "data.json": json.dumps(data)}
    spec = run_spec(
        "python", code=_RUN_GRADER, files=files, output_files=[VALUE], limits=PYTHON_LIMITS
    )
    (result,) = await execute(request, [spec], within_s=WITHIN_S)
    if result.error is not None:
        raise Fault("python_grader_server_error", result.error.code)
    value = result.files.get(VALUE)
    if result.verdict != "ok" or not isinstance(value, str):
        raise Fault("python_grader_runtime_error", _last_lines(result))
    try:
        number = float(json.loads(value))
    except (ValueError, TypeError):
        raise Fault("python_grader_runtime_error", "the result is no number") from None
    if not math.isfinite(number):
        raise Fault("python_grader_runtime_error", "the result is not finite")
    return number


def _sample(text: str) -> Json:
    try:
        found = json.loads(text)
        json.dumps(found)
    except (ValueError, RecursionError):  # the model may nest as deep as it likes
        return {"output_text": text}
    return {"output_text": text, "output_json": found}


def _filled(template: str, data: Json) -> str:
    """The template with its variables' values. Raises Fault."""

    def value(match: re.Match[str]) -> str:
        found = data[match[1]]
        for name in match[2][1:].split("."):
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                flag = "sample_parse_error" if match[1] == "sample" else "invalid_variable_error"
                raise Fault(flag, f"no {match[1]}{match[2]}")
        return found if isinstance(found, str) else json.dumps(found)

    return _TEMPLATE.sub(value, template)


def _errors(fault: Fault | None) -> Json:
    errors: Json = dict.fromkeys(_FLAGS, False)
    errors |= dict.fromkeys(_DETAILS)
    if fault is not None:
        errors[fault.flag] = True
        details = f"{fault.flag}_details"
        if details in errors:
            errors[details] = fault.details
        elif fault.flag == "python_grader_server_error":
            errors["python_grader_server_error_type"] = fault.details
    return errors


def _last_lines(result: RunResult) -> str:
    return f"{result.verdict}: {result.stderr[-1000:]}"


_FLAGS = (
    "formula_parse_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
    "invalid_variable_error",
    "other_error",
    "python_grader_server_error",
    "python_grader_runtime_error",
    "model_grader_server_error",
    "model_grader_refusal_error",
    "model_grader_parse_error",
)
_DETAILS = (
    "python_grader_server_error_type",
    "python_grader_runtime_error_details",
    "model_grader_server_error_details",
)
