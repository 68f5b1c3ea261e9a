"""The short form of `python3 dev.py faults`: whatever is broken, nothing is lost and no reward
differs."""

from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.faults.clock import Clock, NoClock
from tests.faults.engine import NoEngine, private_engine
from tests.faults.run import strike
from tests.faults.stack import Stack, running_stack
from tests.faults.table import FAULTS, Fault


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, redis_urls: object) -> Iterator[Stack]:
    """`redis_urls` is asked for so that a machine without Redis skips; the stack has its own."""
    with running_stack(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def with_programs(
    tmp_path_factory: pytest.TempPathFactory, redis_urls: object, built: None
) -> Iterator[Stack]:
    """A stack with a container engine of its own, and where it can be with a clock of its own."""
    directory = tmp_path_factory.mktemp("faults")
    try:
        clock = Clock(directory / "clock")
    except NoClock:
        clock = None
    try:
        with private_engine() as engine, running_stack(directory, engine=engine, clock=clock) as it:
            yield it
    except NoEngine as reason:
        missing("private-engine", str(reason))


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name) for f in FAULTS if f.briefly])
def test_nothing_is_lost_and_no_reward_differs(
    request: pytest.FixtureRequest, fault: Fault
) -> None:
    stack: Stack = request.getfixturevalue("with_programs" if fault.has_programs else "plain")
    if fault.has_clock and not stack.has_clock:
        missing("faketime", "a clock that jumps (Debian: apt-get install faketime)")
    outcome = strike(stack, fault, fault.briefly)
    assert outcome.book.lost == []
    assert outcome.book.wrong == []
    assert set(outcome.book.unscored) <= fault.may_fail
    assert outcome.book.answered > 0
