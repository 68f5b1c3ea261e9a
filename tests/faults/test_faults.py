"""The short form of `python3 dev.py faults`: whatever is broken, nothing is lost and no reward
differs."""

from collections.abc import Iterator

import pytest

from tests.faults.run import strike
from tests.faults.stack import Stack, running_stack
from tests.faults.table import FAULTS, Fault


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Stack]:
    """`redis_url` is asked for so that a machine without Redis skips; the stack has its own."""
    with running_stack(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name) for f in FAULTS if f.briefly])
def test_nothing_is_lost_and_no_reward_differs(stack: Stack, fault: Fault) -> None:
    outcome = strike(stack, fault, fault.briefly)
    assert outcome.book.lost == []
    assert outcome.book.wrong == []
    assert set(outcome.book.unscored) <= fault.may_fail
    assert outcome.book.answered > 0
