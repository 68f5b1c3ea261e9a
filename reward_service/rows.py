"""
Reads a JSONL file of completions: items, tasks for them, or flat rows.

A line is a task (`{"task": {"id": "p1", "prompt": …}}`), an item (`{"item": {…}}`, or the item's
fields themselves), or a flat row `{"completion": …, "ground_truth": …}`: one that names neither a
task nor verifiers. Other columns of a flat row become its metadata and come back with the result.
Every line is checked before anything is scored.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from reward_service.errors import BadTask
from reward_service.schemas import Item, RewardRequest, Task, VerifierSpec
from reward_service.surrogates import without_lone_surrogates

_Row = TypeVar("_Row", Item, Task)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file holds; `lines[i]` is the line number of `items[i]`."""

    tasks: dict[str, Task]
    items: list[Item]
    lines: list[int]

    def without_completions(self) -> "Rows":
        """The same rows with nothing written: what is left to go wrong is the reference."""
        items = [item.model_copy(update={"completion": ""}) for item in self.items]
        return Rows(self.tasks, items, self.lines)

    def batch(self, start: int, size: int, *, deadline_ms: int) -> RewardRequest:
        """A slice of the items as a request, with the tasks it needs."""
        items = self.items[start : start + size]
        needed = {item.task_id for item in items if item.task_id is not None}
        tasks = {name: task for name, task in self.tasks.items() if name in needed}
        return RewardRequest(deadline_ms=deadline_ms, tasks=tasks, items=items)


def read_rows(lines: Iterable[bytes], default: Sequence[VerifierSpec]) -> Rows:
    """Parse a file; `default` verifiers serve items that neither name any nor have a task.

    BadTask names the line and the field.
    """
    rows = Rows({}, [], [])
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number}"
        row = _object(line, where)
        if isinstance(row.get("task"), dict):
            fields = dict(row["task"])
            name = fields.pop("id", None)
            if not isinstance(name, str):
                raise BadTask(f"{where}: task.id", "must be a string")
            rows.tasks[name] = _validated(Task, fields, f"{where}: task")
            continue
        item = _item(row, number, default)
        if item.task_id is not None and item.task_id not in rows.tasks:
            raise BadTask(f"{where}: task_id", "no task of this id stands above this line")
        if seen.setdefault(item.id, number) != number:
            raise BadTask(f"{where}: id", f"same id as in line {seen[item.id]}")
        rows.items.append(item)
        rows.lines.append(number)
    return rows


def _item(row: dict[str, Any], number: int, default: Sequence[VerifierSpec]) -> Item:
    fields = dict(row["item"]) if isinstance(row.get("item"), dict) else _flat(row)
    fields.setdefault("id", f"line-{number}")
    truth = fields.get("ground_truth")
    if isinstance(truth, int | float) and not isinstance(truth, bool):
        fields["ground_truth"] = json.dumps(truth)  # data sets write 42 as well as "42"
    item = _validated(Item, fields, f"line {number}")
    if item.task_id is None and item.verifiers is None:
        return item.model_copy(update={"verifiers": list(default)})
    return item


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """An item's fields; other columns are kept as metadata where nothing says it is an item."""
    if "task_id" in row or "verifiers" in row or "metadata" in row:
        return dict(row)
    fields = {name: value for name, value in row.items() if name in Item.model_fields}
    columns = {name: value for name, value in row.items() if name not in Item.model_fields}
    return {**fields, "metadata": columns}


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(without_lone_surrogates(line))
    except (ValueError, RecursionError):
        raise BadTask(where, "is not JSON") from None
    if not isinstance(row, dict):
        raise BadTask(where, "is not a JSON object")
    return row


def _validated(model: type[_Row], fields: dict[str, Any], where: str) -> _Row:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        named = (str(part)[:64] for part in first["loc"])
        path = ".".join(part for part in named if part.isalnum() or part.isidentifier())
        raise BadTask(f"{where}: {path}", first["msg"]) from None
