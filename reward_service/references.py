"""
Checks tasks before a run trains on them: can their references be read, their rules be applied?

Nothing else decides it than the rules themselves: every task is scored with an empty completion,
which none rewards and all of them answer, unless the reference is at fault.
"""

from collections.abc import Iterable, Iterator

from reward_service.chunks import Plan
from reward_service.errors import BadTask
from reward_service.schemas import (
    Item,
    Result,
    RewardRequest,
    Task,
    TaskProblem,
    TaskRequest,
)


def empty_batch(request: TaskRequest) -> RewardRequest:
    """One empty completion for each task."""
    items = [Item(id=task_id, task_id=task_id, completion="") for task_id in request.tasks]
    return RewardRequest(
        request_id=request.request_id,
        deadline_ms=request.deadline_ms,
        tasks=request.tasks,
        items=items,
    )


def check_task(task: Task) -> None:
    """Raise BadTask for one that no completion could be scored by as it is written."""
    request = TaskRequest(tasks={"task": task})
    try:
        Plan(empty_batch(request))
    except BadTask as error:
        found = in_terms_of_tasks(error, request)
        raise BadTask(found.field.removeprefix("tasks.task."), found.message) from None


def problems(results: Iterable[Result]) -> Iterator[TaskProblem]:
    """What kept the empty completions from being scored; `task_id` is the item's id."""
    for result in results:
        for name, component in result.components.items():
            if component.error is not None:
                yield TaskProblem(
                    task_id=result.id,
                    verifier=name,
                    code=component.error.code,
                    message=component.error.message,
                )


def in_terms_of_tasks(error: BadTask, request: TaskRequest) -> BadTask:
    """The same error with the path of the task that the caller wrote."""
    if (found := error.of_item()) is None:
        return error
    index, rest = found
    return BadTask(f"tasks.{list(request.tasks)[index]}.{rest}", error.message)
