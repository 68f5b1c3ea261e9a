"""
JSON schema: the answer is one JSON value that meets the caller's schema.

JSON here is what RFC 8259 and every strict reader agree on: no NaN, no number
beyond a double, no half of a surrogate pair, no duplicate keys, no text around
the value. A schema's patterns are the caller's and may be slow, so the rule
runs where it can be killed; nothing is fetched.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from jsonschema import Draft202012Validator, SchemaError
from pydantic import Field, field_validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from reward_service.extract import fenced_blocks, find_spans
from reward_service.verdicts import Failure, Score, Verdict
from reward_service.verifiers.base import Attempt, Place, Rule

MAX_DEPTH = 64
"""Deepest nesting of an answer."""

_SHOWN = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonSchema(Rule):
    """`json_schema`: whether the answer is valid JSON that meets a schema."""

    place: ClassVar[Place] = "pool"

    json_schema: dict[str, Any] = Field(default_factory=dict, alias="schema")
    """JSON Schema (draft 2020-12). Empty: any JSON value. References stay within the schema."""
    extract: Literal["auto", "answer", "fenced", "raw"] = "auto"
    """`auto`: the answer block, else the text after the thought; a fence around it is taken off.
    `answer`: the answer block only. `fenced`: the last fenced block. `raw`: the completion."""

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"not a JSON Schema, at {error.json_path[:_SHOWN]}") from error
        outside = [ref for ref in _references(schema) if not ref.startswith("#")]
        if outside:
            raise ValueError("`$ref` must stay within the schema: begin it with #")
        return schema

    def __call__(self, attempt: Attempt) -> Score | Failure:
        """Parse, then validate; the first fault is reported with its place."""
        text = self._text(attempt)
        if not text:
            return Score(Verdict.NO_ANSWER, 0.0, "no_answer")
        try:
            value = _parsed(text)
        except json.JSONDecodeError as error:
            details = {"message": error.msg, "offset": error.pos}
            return Score(Verdict.FORMAT_ERROR, 0.0, "invalid_json", details)
        except ValueError as error:
            return Score(
                Verdict.FORMAT_ERROR, 0.0, "invalid_json", {"message": str(error)[:_SHOWN]}
            )
        except RecursionError:
            return Score(Verdict.FORMAT_ERROR, 0.0, "too_deep")
        if _depth_exceeds(value, MAX_DEPTH):
            return Score(Verdict.FORMAT_ERROR, 0.0, "too_deep")
        return self._validate(value)

    def _validate(self, value: Any) -> Score | Failure:
        validator = Draft202012Validator(self.json_schema, registry=Registry())
        try:
            fault = next(validator.iter_errors(value), None)
        except (
            Unresolvable,
            RecursionError,
        ) as error:  # the answer is shallow: the schema is at fault
            return Failure("schema_unusable", "reference", type(error).__name__)
        if fault is None:
            return Score(Verdict.CORRECT, 1.0, "meets_schema")
        details = {"path": fault.json_path[:_SHOWN], "message": fault.message[:_SHOWN]}
        return Score(Verdict.WRONG_ANSWER, 0.0, "breaks_schema", details)

    def _text(self, attempt: Attempt) -> str:
        completion = attempt.completion
        spans = find_spans(completion, think_prefilled=attempt.think_prefilled)
        if self.extract == "raw":
            return completion.strip()
        text = completion[spans.final :]
        if spans.answer is not None and self.extract != "fenced":
            text = completion[slice(*spans.answer)]
        elif self.extract == "answer":
            return ""
        blocks = fenced_blocks(text)
        if self.extract == "fenced":
            return blocks[-1].code.strip() if blocks else ""
        text = text.strip()
        whole = (
            len(blocks) == 1 and text.startswith(("```", "~~~")) and text.endswith(("```", "~~~"))
        )
        return blocks[0].code.strip() if whole else text


def _parsed(text: str) -> Any:
    value = json.loads(
        text,
        parse_constant=_refuse,
        parse_float=_finite,
        object_pairs_hook=_without_duplicates,
    )
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("half of a surrogate pair is no text")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return keys


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _references(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found = (node.get("$ref"), node.get("$dynamicRef"))
            yield from (ref for ref in found if isinstance(ref, str))
        waiting.extend(_children(node))
