"""
`rulegrade`, in which a completion that says so ends the process that handles it.

It stands for one that finds a bug in native code, of which no honest process has one to offer.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reward_service.chunks import Evaluation

POISON = "Drink me."


def _dies_of_poison(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(self: object, evaluation: "Evaluation", *given: Any, **named: Any) -> Any:
        if POISON in evaluation.attempt.completion:
            os.kill(os.getpid(), signal.SIGKILL)
        return await work(self, evaluation, *given, **named)

    return wrapped


if __name__ == "__main__":
    # Here, because every process of the pool reads this file again, and would import all of it.
    from reward_service.cli import run
    from reward_service.pool import Pool
    from reward_service.programs import Programs

    os.environ.pop("LD_PRELOAD", None)  # a clock that jumps stands still in a process that forks
    Pool.apply = _dies_of_poison(Pool.apply)  # type: ignore[method-assign, assignment]
    Programs.score = _dies_of_poison(Programs.score)  # type: ignore[method-assign, assignment]
    sys.exit(run())
