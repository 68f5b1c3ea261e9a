"""The faults: what is broken under load, how often, and how long until it is whole again."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import processes, programs
from tests.faults.clocks import jump
from tests.faults.crowd import crowd
from tests.faults.load import Book
from tests.faults.stack import Stack


@dataclass(frozen=True, slots=True)
class Fault:
    """`strike` breaks something and mends it; `times` in the long form, `briefly` in tests."""

    name: str
    strike: Callable[[Stack, Book], None]
    times: int
    briefly: int = 1
    pause_s: float = 1.0
    may_fail: frozenset[str] = frozenset()
    """Error codes that items may end with: a failure of ours, said as such."""
    has_programs: bool = False
    """Whether the load has code in it, which takes an engine of the suite's own."""
    has_clock: bool = False
    """Whether the wall clock of the service must be one that can jump."""


NO_SANDBOX = frozenset({"sandbox_unavailable", "sandbox_failed"})
TOO_BUSY = frozenset({"deadline_exceeded", "verifier_timeout"})

FAULTS = (
    Fault("worker killed", processes.kill_a_worker, times=20, briefly=3, pause_s=3),
    Fault("worker told to stop", processes.stop_a_worker, times=10),
    Fault("all workers killed, back after 3 s", processes.kill_all_workers, times=5, pause_s=3),
    Fault("API killed", processes.kill_the_api, times=20, pause_s=2),
    Fault("Redis killed, append-only file", processes.kill_redis, times=10, briefly=2, pause_s=2),
    Fault("Redis paused for 5 s", processes.pause_redis(5), times=3),
    Fault("Redis paused for 30 s", processes.pause_redis(30), times=1, briefly=0),
    Fault("Redis out of memory for 5 s", processes.fill_redis, times=3),
    Fault("Redis emptied", processes.forget_everything, times=5),
    Fault("jobs delivered twice", processes.deliver_twice, times=200, briefly=20, pause_s=0.05),
    Fault(
        "sandbox container killed",
        programs.kill_a_container,
        times=50,
        briefly=3,
        pause_s=2,
        has_programs=True,
        may_fail=NO_SANDBOX,
    ),
    Fault(
        "container engine restarted",
        programs.restart_the_engine,
        times=5,
        pause_s=3,
        has_programs=True,
        may_fail=NO_SANDBOX,
    ),
    Fault("item that ends its worker", programs.poison, times=10, briefly=0, has_programs=True),
    Fault(
        "clock of API and workers jumps",
        jump,
        times=8,
        briefly=2,
        has_programs=True,
        has_clock=True,
    ),
    Fault(
        "10,000 requests at once for 60 s",
        crowd(10_000, 60),
        times=1,
        briefly=0,
        may_fail=TOO_BUSY,
    ),
    Fault(
        "200 requests at once for 2 s",
        crowd(200, 2),
        times=0,
        may_fail=TOO_BUSY,
    ),
)
