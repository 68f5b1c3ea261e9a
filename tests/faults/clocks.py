"""Jumps of a wall clock, there and back."""

import itertools
from collections.abc import Callable
from typing import Literal

from tests.faults.load import Book
from tests.faults.stack import Stack

HOUR_S, DAY_S = 3_600, 86_400
AHEAD_S = (HOUR_S, 0, -HOUR_S, 0, DAY_S, 0, -DAY_S, 0)
"""Seconds ahead of the machine's clock, one after the other."""


def jump(whose: Literal["service", "redis"]) -> Callable[[Stack, Book], None]:
    """Jumps of the clock of API and workers, or of Redis."""
    following = itertools.cycle(AHEAD_S)

    def to_the_next(stack: Stack, _: Book) -> None:
        clock = stack.clock if whose == "service" else stack.redis_clock
        clock.set(next(following))

    return to_the_next
