"""Other projects' ways to say which program to run -> our own runs and limits."""

import json
from typing import Any

from pydantic import ValidationError

from reward_service.errors import BadTask
from reward_service.run_schemas import RunSpec
from sandbox import MAX_LIMITS

OUTPUT_KB = 16_384
WAITING_S = 5.0


def limits(timeout_s: float, memory_mb: float) -> dict[str, Any]:
    """Limits for a protocol that knows one time-out, which it means as the time of the program.

    CPU time decides, so that a busy host makes no slow program of a quick one; the clock leaves
    time to wait beside it.
    """
    return {
        "cpu_s": min(float(timeout_s), MAX_LIMITS["cpu_s"]),
        "wall_s": min(float(timeout_s) + WAITING_S, MAX_LIMITS["wall_s"]),
        "memory_mb": int(min(memory_mb, MAX_LIMITS["memory_mb"])),
        "output_kb": OUTPUT_KB,
    }


def run_spec(language: str, **fields: Any) -> RunSpec:
    """A run. Raises BadTask, naming the field, if it cannot be run as written."""
    try:
        return RunSpec.model_validate_json(json.dumps({"id": "0", "language": language, **fields}))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadTask(".".join(map(str, first["loc"])), first["msg"]) from None
