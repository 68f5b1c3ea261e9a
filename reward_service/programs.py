"""
The code rule's way into the sandbox, and the watch over whether there is one.

A sandbox that cannot be started is tried again for as long as the service lives; until then code
is answered with `sandbox_unavailable`, never with a number.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import structlog

from reward_service import tracing
from reward_service.chunks import Evaluation, time_left
from reward_service.errors import InfraError, SandboxDown
from reward_service.run_schemas import RunSpec
from reward_service.runs import EXECUTE, facts_of, limits_of, program_of, spec_of, stdin_of
from reward_service.telemetry import COMPILATIONS, COMPILATIONS_REUSED, KILLS
from reward_service.verdicts import Failure, Outcome, Ran, Score
from reward_service.verifiers.apply import crashed, verifier_of
from reward_service.verifiers.code import Code
from sandbox import (
    CheckerFailed,
    DeadlineExceeded,
    PooledSandbox,
    SandboxError,
    SandboxUnavailable,
    Submission,
    installed_languages,
)

RETRY_S = 5.0
LOOK_S = 0.2

log = structlog.get_logger()


class Programs:
    """Scores the programs in completions.

    `make` chooses a sandbox, and may block; it is None where code is switched off.
    """

    def __init__(self, make: Callable[[], PooledSandbox] | None) -> None:
        self._make = make
        self._sandbox: PooledSandbox | None = None
        self._tried = asyncio.Event()
        self.languages: Mapping[str, str] | None = None if make else {}
        """Version by name of what can be run; None until the sandbox has told."""
        self._why_down = "code rewards are switched off (RULEGRADE_SANDBOX_BACKEND=off)"
        self.is_up = False
        self._made = self._reused = 0
        """Compilations that the figures hold already."""

    @property
    def state(self) -> str:
        """`ok`, `off`, `starting`, or `down: why`."""
        if self._make is None:
            return "off"
        if not self._tried.is_set():
            return "starting"
        return "ok" if self.trouble is None else f"down: {self.trouble}"

    @property
    def trouble(self) -> str | None:
        """Why no program can be run although code is not switched off; None while it can be."""
        if self._make is None or not self._tried.is_set():
            return None
        if self._sandbox is None or not self.is_up:
            return self._why_down
        return self._sandbox.trouble

    @property
    def isolation(self) -> Mapping[str, str]:
        """What isolates programs, in words; empty while there is no sandbox."""
        return self._sandbox.isolation() if self._sandbox is not None and self.is_up else {}

    def parts(self) -> dict[str, str]:
        """The state of each part that rewards need; those in this process live and die with it."""
        return {"queue": "ok", "pool": "ok", "sandbox": self.state}

    async def keep_up(self) -> None:
        """Choose and start a sandbox, trying again until one is up."""
        while self._make is not None and not self.is_up:
            self._sandbox = await asyncio.to_thread(self._make)
            try:
                await self._sandbox.start()
                self.languages = await installed_languages(self._sandbox)
                self.is_up = True
                log.info(
                    "sandbox_up",
                    languages=dict(self.languages),
                    isolation=dict(self.isolation),
                )
            except SandboxError as error:
                await self._sandbox.close()
                if self._why_down != str(error):
                    log.warning("sandbox_down", reason=str(error))
                self._why_down = str(error)
            self._tried.set()
            await asyncio.sleep(0 if self.is_up else RETRY_S)

    async def wait_until_well(self) -> None:
        """Return once programs can be run."""
        while self.trouble is not None:  # noqa: ASYNC110 - a slot cannot tell when it is replaced
            await asyncio.sleep(LOOK_S)

    async def score(self, evaluation: Evaluation, deadline: float) -> tuple[Outcome, float]:
        """Run and judge one completion's program, or run one for its output alone; the outcome,
        and the seconds it ran.

        `deadline` is on the monotonic clock. Raises SandboxDown.
        """
        try:
            if evaluation.verifier == EXECUTE:
                return await self._guarded(self._execute(spec_of(evaluation), deadline), deadline)
            return await self._score(evaluation, deadline)
        except InfraError:
            raise
        except Exception as error:
            return crashed(evaluation.verifier, error), 0.0

    async def _score(self, evaluation: Evaluation, deadline: float) -> tuple[Outcome, float]:
        code = verifier_of(evaluation.verifier, evaluation.params)
        if not isinstance(code, Code):
            raise TypeError(evaluation.verifier)
        submission = code.submission(evaluation.attempt)
        if isinstance(submission, Score):
            return submission, 0.0
        return await self._guarded(self._judge(code, submission, deadline), deadline)

    async def _judge(
        self, code: Code, submission: Submission, deadline: float
    ) -> tuple[Outcome, float]:
        sandbox = await self._ready()
        if code.language not in self.known_languages():
            return _unavailable(code.language), 0.0
        with tracing.span(f"judge {code.language}", tests=len(submission.tests)):
            judgement = await sandbox.judge(submission, deadline=_unix(deadline))
            tracing.describe({"rulegrade.verdict": judgement.verdict.value})
        _count_kills(test.verdict.value for test in judgement.tests)
        self._count_compilations(sandbox)
        return code.score(judgement), sum(test.wall_ms for test in judgement.tests) / 1000

    async def _execute(self, spec: RunSpec, deadline: float) -> tuple[Outcome, float]:
        sandbox = await self._ready()
        if spec.language not in self.known_languages():
            return _unavailable(spec.language), 0.0
        program, stdin, limits = program_of(spec), stdin_of(spec), limits_of(spec)
        with tracing.span(f"run {spec.language}"):
            run = await sandbox.run(program, stdin, limits, deadline=_unix(deadline))
            tracing.describe({"rulegrade.verdict": run.status.value})
        _count_kills([run.status.value])
        self._count_compilations(sandbox)
        return Ran(facts_of(run)), run.wall_ms / 1000

    async def _guarded(
        self, work: Coroutine[Any, Any, tuple[Outcome, float]], deadline: float
    ) -> tuple[Outcome, float]:
        """What `work` returns; what the sandbox raises becomes a Failure. Raises SandboxDown."""
        try:
            async with asyncio.timeout(time_left(deadline)):
                return await work
        except (TimeoutError, DeadlineExceeded):
            message = "the deadline passed before the program was done"
            return Failure("deadline_exceeded", "sandbox", message, retryable=True), 0.0
        except SandboxUnavailable as error:
            raise SandboxDown(str(error)) from error
        except CheckerFailed as error:
            return Failure("checker_failed", "sandbox", str(error)), 0.0
        except SandboxError as error:
            failure = Failure("sandbox_failed", "sandbox", str(error), retryable=True, attempts=2)
            return failure, 0.0

    def _count_compilations(self, sandbox: PooledSandbox) -> None:
        counts = sandbox.compilations
        COMPILATIONS.inc(counts.made - self._made)
        COMPILATIONS_REUSED.inc(counts.reused - self._reused)
        self._made, self._reused = counts.made, counts.reused

    def known_languages(self) -> Mapping[str, str]:
        """Version by name of every language that can be run. Raises SandboxDown."""
        if self.languages is None:
            raise SandboxDown(self._why_down)
        return self.languages

    async def close(self) -> None:
        """Remove every slot."""
        if self._sandbox is not None:
            await self._sandbox.close()

    async def _ready(self) -> PooledSandbox:
        if self._make is not None:
            await self._tried.wait()
            if self._sandbox is not None and self.is_up:
                return self._sandbox
        raise SandboxDown(self._why_down)


def _count_kills(verdicts: Iterable[str]) -> None:
    for verdict in verdicts:
        limit, _, rest = verdict.partition("_")
        if rest == "limit_exceeded":
            KILLS.labels(limit).inc()


def _unavailable(language: str) -> Failure:
    message = f"the sandbox does not hold {language}"
    return Failure("language_unavailable", "sandbox", message)


def _unix(deadline: float) -> float:
    """The sandbox's deadlines are in Unix seconds."""
    return time.time() + time_left(deadline)
