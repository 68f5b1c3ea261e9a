"""What hosted trainers' requests have in common: conversations, wrapped references, reasons."""

from typing import Any

from reward_service.errors import BadTask
from reward_service.schemas import Result

Json = dict[str, Any]
WITHIN_S = 50.0  # what a hosted caller waits is not published; a Lambda may take 15 minutes


def reference_in(found: Any) -> Any:
    """The reference; one that is wrapped as `{"answer": …}` or the like is unwrapped."""
    if not isinstance(found, dict):
        return found
    for name in ("answer", "reference_answer", "expected_answer", "label"):
        if name in found and not {"verifiers", "ground_truth"} & found.keys():
            return found[name]
    return found


def named_source(found: Json) -> str | None:
    """The data source that a request's free part names."""
    name = found.get("data_source")
    return name if isinstance(name, str) else None


def last_answer(messages: list[Json]) -> str:
    """What the policy wrote last; content in parts, as OpenAI's, is joined."""
    last = messages[-1]
    if last.get("role") != "assistant":
        raise BadTask("messages", "the last message must be the assistant's")
    content = last.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def why(result: Result) -> str:
    """Each component's reason, or the failure's name."""
    if result.error is not None:
        return result.error.code
    return ", ".join(f"{name}: {part.reason}" for name, part in result.components.items())
