"""A row of a trainer's data set -> the item that is scored. The rule is in docs/trainers.md."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Verifiers = str | Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""A preset's name, a list of verifiers, or either by data source, with `*` for the others."""

ANY = "*"
GROUND_TRUTHS = ("ground_truth", "answer", "solution", "label", "target")
"""Columns that may hold the reference answer; the first that is there does."""

_CODE_PARAMS = ("language", "checker", "scoring", "limits", "extract")
_MESSAGE_FIELDS = ("role", "content", "reasoning_content")


def item_of(
    completion: Any,
    row: Mapping[str, Any],
    verifiers: Verifiers | None,
    *,
    prompt: Any = None,
    data_source: str | None = None,
) -> dict[str, Any]:
    """The item for one completion of `row`.

    The row's own `verifiers` or `task_id` win over `verifiers`, which the adapter was made with.
    A reference that holds `inputs` and `outputs` is the tests of a program.
    """
    item: dict[str, Any] = {"id": "0", "completion": text_or_messages(completion)}
    if prompt is not None:
        item["prompt"] = text_or_messages(prompt)
    if row.get("task_id"):
        return item | {"task_id": row["task_id"]}
    label = _label(next((row[key] for key in GROUND_TRUTHS if row.get(key) is not None), None))
    own = _spelled(row.get("verifiers"))
    if own is None and isinstance(label, dict):
        return item | _task_in(label, verifiers, data_source)
    if label is not None:
        item["ground_truth"] = label
    return item | {"verifiers": own if own is not None else _chosen(verifiers, data_source)}


def text_or_messages(value: Any) -> Any:
    """Text as it is; of messages the fields that the service knows."""
    if isinstance(value, str):
        return value
    return [{key: message[key] for key in _MESSAGE_FIELDS if message.get(key)} for message in value]


def _label(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            found = json.loads(value)
        except ValueError:  # `{1, 2}` is a set
            return value
        return found if isinstance(found, dict) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value)
    return value


def _task_in(
    label: Mapping[str, Any], verifiers: Verifiers | None, data_source: str | None
) -> dict[str, Any]:
    if {"verifiers", "ground_truth"} & label.keys():
        task = {key: label[key] for key in ("verifiers", "ground_truth") if key in label}
        return {"verifiers": _chosen(verifiers, data_source), **task} if len(task) < 2 else task
    if {"inputs", "outputs"} <= label.keys():
        return {"verifiers": [{"name": "code", "params": _code_params(label)}]}
    raise ValueError(f"a label with unknown keys: {', '.join(sorted(label))[:200]}")


def _code_params(label: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `code` for parallel lists, as verl, LiveCodeBench and APPS write them."""
    pairs = list(zip(label["inputs"], label["outputs"], strict=True))
    params = {key: label[key] for key in _CODE_PARAMS if key in label}
    if not label.get("fn_name"):
        tests = [{"input": _lines(given), "output": _lines(wanted)} for given, wanted in pairs]
        return {"kind": "stdin", "tests": tests, **params}
    calls = [{"args": _arguments(given), "expected": _value(wanted)} for given, wanted in pairs]
    return {"kind": "function", "entry_point": label["fn_name"], "tests": calls, **params}


def _lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _arguments(given: Any) -> list[Any]:
    if isinstance(given, list):
        return given
    return [json.loads(line) for line in str(given).splitlines() if line.strip()]


def _value(wanted: Any) -> Any:
    try:
        return json.loads(wanted) if isinstance(wanted, str) else wanted
    except ValueError:
        return wanted


def _chosen(verifiers: Verifiers | None, data_source: str | None) -> Any:
    if isinstance(verifiers, Mapping):
        found = verifiers.get(data_source or ANY, verifiers.get(ANY))
    else:
        found = verifiers
    if found is None:
        raise ValueError(
            f"no verifiers for data source {data_source!r}: give `verifiers`, set "
            "RULEGRADE_VERIFIERS, or let the row have a column `verifiers`"
        )
    return found


def _spelled(value: Any) -> Any:
    """Verifiers of a row, which as JSON text fit into a column of any data set library."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return json.loads(value)
    return value or None
