"""
A run, or a pair of runs, watched from outside the jails: time and memory are measured and cut here.

Reports facts, not verdicts; the service turns them into a status.
"""

import select
import time

from sandbox.agent import frames
from sandbox.agent.cgroup import Meter
from sandbox.agent.jail import KILL_GRACE_S, JailError
from sandbox.agent.jailed import JailedRun
from sandbox.agent.starvation import Starvation
from sandbox.agent.tree import used_below
from sandbox.agent.tree_meter import TreeMeter

TICK_MS = 20
"""How often CPU time and memory are looked at: a page-faulting program takes about 20 MB a tick."""

UNHEARD_MS = 3
"""What a run says so soon is read when it has ended, as most have by then, or has to wait: to be
woken for it costs as much as to read it."""

JAIL_CPU_MS = 10.0
"""CPU time that building and ending a jail costs this container, at most; not the program's."""

JUDGE_CPU_S = 5.0
JUDGE_MEMORY_MB = 128
"""What the judge's side of a pair may take on top of the limits, which are the program's."""

SERVICE_FD = 0


class Baseline:
    """What the container had used before the first run of an order was started.

    Between one run and the next all is as it was before, but for the CPU time.
    """

    def __init__(self, meter: Meter | TreeMeter) -> None:
        self._meter = meter
        self._memory = meter.memory_kb()
        self._processes = meter.processes()
        self.start_clock()

    def start_clock(self) -> None:
        """A run begins."""
        self._cpu = self._meter.cpu_ms()
        self._own_cpu = time.process_time()

    def cpu_ms(self, jails: int) -> float:
        """CPU time of all that ran since, without this process and without building jails."""
        own = (time.process_time() - self._own_cpu) * 1e3
        return max(0.0, self._meter.cpu_ms() - self._cpu - own - jails * JAIL_CPU_MS)

    def memory_kb(self) -> int:
        """What came on top since."""
        return self._meter.memory_kb() - self._memory

    def processes(self, jails: int) -> int:
        """How many processes and threads came on top since, without the jails' inits."""
        return self._meter.processes() - self._processes - jails

    def oom_kills(self) -> int:
        """Since the end of the run before."""
        return self._meter.oom_kills()


class Execution:
    """Watches a program's run, and beside it a judge's: both are killed when either has to be.

    The limits are the program's. In a pair, all that the judge's process tree did not use was used
    by the program; both die together when the judge has ended, and for each other's excesses. Where
    the two talk over pipes, a judge that ended well leaves the program to end by itself.
    """

    def __init__(
        self,
        program: JailedRun,
        judge: JailedRun | None,
        limits: dict[str, float],
        *,
        deadline_s: float,
        before: Baseline,
        has_own_end: bool = False,
    ) -> None:
        self._has_own_end = has_own_end
        self._program = program
        self._judge = judge
        self._runs = [program] if judge is None else [program, judge]
        self._limits = limits
        self._deadline_s = deadline_s
        self._before = before
        self._judge_init = 0 if judge is None else judge.jail.init_pid
        self._next_look = time.monotonic() + TICK_MS / 1e3

    def finish(self, agents: set[int]) -> None:
        """Watch until no process of any run is left; then their facts are complete."""
        starvation = Starvation(agents)
        poll = select.poll()
        owners = {fd: run for run in self._runs for fd in run.ends()}
        for fd in (*owners, SERVICE_FD):
            poll.register(fd, select.POLLIN)
        is_listening = False
        while not all(run.is_over for run in self._runs):
            for fd, event in poll.poll(TICK_MS if is_listening else UNHEARD_MS):
                if fd == SERVICE_FD:
                    self._hear_service(event)
                    poll.modify(SERVICE_FD, 0)
                elif not owners[fd].take(fd):
                    poll.unregister(fd)
            if not (is_listening or all(run.has_ended for run in self._runs)):
                is_listening = True
                outputs = {fd: run for run in self._runs for fd in run.outputs()}
                for fd in outputs:
                    poll.register(fd, select.POLLIN)
                owners |= outputs
            self._enforce(starvation)
        self._settle()

    def _hear_service(self, event: int) -> None:
        """Orders come one at a time: what comes during a run is the order to stop it."""
        if event & ~select.POLLIN:  # a hang-up: nobody waits for this run any more
            raise SystemExit("the service is gone")
        self._kill("stop")

    def _enforce(self, starvation: Starvation) -> None:
        now = time.monotonic()
        is_alone = self._judge is None
        if is_alone and now < self._next_look and self._program.facts.killed_for is None:
            return  # looking costs a tenth of a short run
        for run in self._runs:
            is_last_word = run is self._judge and run.has_ended
            if run.facts.killed_for or (is_last_word and not self._goes_on(run)):
                self._end_all()
        running = [run for run in self._runs if not run.facts.killed_for and not run.has_ended]
        if running and now >= self._next_look:
            self._next_look = now + TICK_MS / 1e3
            self._enforce_limits(starvation)
        for run in self._runs:
            is_late = run.elapsed_s() - run.facts.wall_ms / 1e3 > KILL_GRACE_S
            if is_late and not run.is_over and run not in running:
                raise JailError("a killed run did not go away")

    def _goes_on(self, judge: JailedRun) -> bool:
        return self._has_own_end and judge.has_ended_well

    def _end_all(self) -> None:
        for run in self._runs:
            if not run.has_ended:
                run.kill("partner")

    def _enforce_limits(self, starvation: Starvation) -> None:
        elapsed, limits = self._program.elapsed_s(), self._limits
        facts = self._program.facts
        facts.memory_kb = max(facts.memory_kb, self._before.memory_kb())
        processes = self._before.processes(len(self._runs))
        facts.most_processes = max(facts.most_processes, processes)
        allowance_mb = 0 if self._judge is None else JUDGE_MEMORY_MB
        cpu_ms = self._cpu_ms()
        if facts.memory_kb > (limits["memory_mb"] + allowance_mb) * 1024:
            self._kill("memory")
        elif cpu_ms > limits["cpu_s"] * 1e3:
            self._kill("cpu")
        elif self._judge is not None and self._judge_cpu_ms > JUDGE_CPU_S * 1e3:
            self._judge.kill("cpu")
        elif elapsed > self._deadline_s:
            self._kill("deadline")
        elif self._is_late(elapsed, starvation):
            self._kill("wall")

    def _is_late(self, elapsed_s: float, starvation: Starvation) -> bool:
        """Whether the wall clock has run out, which stands still while the host runs others."""
        is_due = self._has_run_out(elapsed_s)
        starvation.look(elapsed_s * 1e3, self._before.cpu_ms(len(self._runs)), is_due=is_due)
        self._program.facts.waited_for_cpu_ms = starvation.total_ms
        return self._has_run_out(elapsed_s)

    def _has_run_out(self, elapsed_s: float) -> bool:
        limit_s = self._limits["wall_s"]
        most_s = limit_s + self._program.facts.waited_for_cpu_ms / 1e3
        elapsed_s -= self._judge_cpu_ms / 1e3  # the program waits while the judge computes
        return elapsed_s > min(most_s, frames.longest_wall_s(limit_s))

    def _kill(self, reason: str) -> None:
        judges_alone = self._judge is not None and self._program.has_ended
        (self._judge if self._judge is not None and judges_alone else self._program).kill(reason)

    def _cpu_ms(self) -> float:
        """What all but the judge used: the program, and what it left running."""
        if self._judge is not None and self._judge_init:
            cpu_ms, memory_kb = used_below(self._judge_init)
            facts = self._judge.facts
            facts.cpu_ms = max(facts.cpu_ms, cpu_ms)
            facts.memory_kb = max(facts.memory_kb, memory_kb)
        return max(0.0, self._before.cpu_ms(len(self._runs)) - self._judge_cpu_ms)

    @property
    def _judge_cpu_ms(self) -> float:
        return 0.0 if self._judge is None else self._judge.facts.cpu_ms

    def _settle(self) -> None:
        oom_kills = self._before.oom_kills()
        for run in reversed(self._runs):
            run.facts.oom_kills = oom_kills
            if run is self._program:
                run.facts.cpu_ms = self._cpu_ms()
            run.settle()
