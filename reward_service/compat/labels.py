"""
What a label of another project's data set is scored by.

One rule for every protocol, since most of them carry a label and no name of a verifier:

1. A label that is an object with `verifiers` or `ground_truth` is a task of ours, as it stands.
2. A label that is an object with `inputs` and `outputs` is a program's tests (`fn_name`: of a
   function), as verl, LiveCodeBench and APPS write them.
3. Any other label is the reference answer, scored by the verifiers that the setting `data_sources`
   names for its data source, or by those of `*`.

An object may also be spelled as JSON text, as trainers that know only text labels need it.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reward_service.errors import BadTask
from reward_service.schemas import Item, Messages, Task, Verifiers
from reward_service.settings import BadSettings
from reward_service.verifiers import VERIFIERS

ANY = "*"
_TABLE: TypeAdapter[dict[str, Verifiers]] = TypeAdapter(dict[str, Verifiers])
_ITEM_FIELDS = frozenset(Task.model_fields) | {"task_id"}
_OURS = frozenset({"verifiers", "ground_truth", "task_id"})
_CODE_PARAMS = frozenset({"language", "checker", "scoring", "limits", "extract"})


class Labels:
    """Turns labels into items of ours."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        """`table` is the setting `data_sources`; raises BadSettings."""
        try:
            self._table = _TABLE.validate_json(json.dumps(table))
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise BadSettings(f"data_sources: {place}: {error.errors()[0]['msg']}") from error
        for source, chosen in self._table.items():
            for spec in () if isinstance(chosen, str) else chosen:
                if spec.name not in VERIFIERS:
                    known = ", ".join(VERIFIERS)
                    raise BadSettings(f"data_sources: {source}: no verifier {spec.name!r}: {known}")

    def item(
        self,
        completion: str | list[dict[str, Any]],
        label: Any,
        *,
        prompt: Any = None,
        data_source: str | None = None,
    ) -> Item:
        """The item to score. Raises BadTask, naming the label's field."""
        task = self._task(label, data_source)
        if prompt is not None:
            task.setdefault("prompt", prompt)
        try:
            item = {"id": "0", "completion": completion, **task}
            return Item.model_validate_json(json.dumps(item))
        except ValidationError as error:
            first = error.errors()[0]
            raise BadTask(".".join(["label", *map(str, first["loc"])]), first["msg"]) from None

    def _task(self, label: Any, data_source: str | None) -> dict[str, Any]:
        found = _object_in(label)
        if found is not None and _OURS & found.keys():
            source = found.get("data_source", data_source)
            task = {key: found[key] for key in found if key in _ITEM_FIELDS}
            if "task_id" not in task:
                task.setdefault("verifiers", self._verifiers(source))
            return task
        if found is not None and {"inputs", "outputs"} <= found.keys():
            return {"verifiers": [{"name": "code", "params": code_params(found)}]}
        verifiers = self._verifiers(data_source)
        return {"ground_truth": _as_reference(label), "verifiers": verifiers}

    def _verifiers(self, data_source: str | None) -> Any:
        chosen = self._table.get(data_source or ANY) or self._table.get(ANY)
        if chosen is None:
            raise BadTask("label", "no verifiers, and the setting `data_sources` names none for it")
        return chosen if isinstance(chosen, str) else [spec.model_dump() for spec in chosen]


def code_params(label: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `code` for parallel lists of inputs and outputs. Raises BadTask."""
    inputs, outputs = label["inputs"], label["outputs"]
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadTask("label", "`inputs` and `outputs` must be lists of one length")
    params = {key: label[key] for key in _CODE_PARAMS & label.keys()}
    name = label.get("fn_name")
    if not name:
        tests = [
            {"input": _as_text(given), "output": _as_text(wanted)}
            for given, wanted in zip(inputs, outputs, strict=True)
        ]
        return {"kind": "stdin", "tests": tests, **params}
    calls = [
        {"args": _arguments(given), "expected": _value(wanted)}
        for given, wanted in zip(inputs, outputs, strict=True)
    ]
    return {"kind": "function", "entry_point": str(name), "tests": calls, **params}


def prompt_of(value: Any) -> str | list[dict[str, Any]] | None:
    """A prompt that is text or plain messages; None for what is neither, such as pictures."""
    if isinstance(value, str):
        return value
    try:
        return [message.model_dump() for message in _MESSAGES.validate_python(value)]
    except ValidationError:
        return None


_MESSAGES: TypeAdapter[Messages] = TypeAdapter(Messages)


def _object_in(label: Any) -> dict[str, Any] | None:
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError:  # `{1, 2}` is a set, not an object
            return None
    return label if isinstance(label, dict) else None


def _as_reference(label: Any) -> str | list[str]:
    if isinstance(label, list) and all(isinstance(one, str) for one in label):
        return label
    if isinstance(label, int | float) and not isinstance(label, bool):
        return json.dumps(label)
    if isinstance(label, str):
        return label
    raise BadTask("label", "neither text, a number, a list of texts, nor an object of known keys")


def _as_text(value: Any) -> str:
    """APPS writes some inputs as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _arguments(given: Any) -> list[Any]:
    """A list of arguments, or text with one JSON value a line, as in LiveCodeBench."""
    if isinstance(given, list):
        return given
    try:
        return [json.loads(line) for line in str(given).splitlines() if line.strip()]
    except ValueError:
        raise BadTask("label.inputs", "a line is not a JSON value") from None


def _value(wanted: Any) -> Any:
    if not isinstance(wanted, str):
        return wanted
    try:
        return json.loads(wanted)
    except ValueError:
        return wanted
