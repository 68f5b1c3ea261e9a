"""Jumps of the wall clock of the service, there and back."""

import itertools

from tests.faults.load import Book
from tests.faults.stack import Stack

HOUR_S, DAY_S = 3_600, 86_400
_AHEAD_S = itertools.cycle((HOUR_S, 0, -HOUR_S, 0, DAY_S, 0, -DAY_S, 0))


def jump(stack: Stack, _: Book) -> None:
    """Set it ahead of the machine's, or behind, or right again."""
    stack.clock.set(next(_AHEAD_S))
