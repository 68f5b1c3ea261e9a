"""
The code rule's way into the sandbox, and the watch over whether there is one.

A sandbox that cannot be started is tried again for as long as the service lives; until then code
is answered with `sandbox_unavailable`, never with a number.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

from reward_service.chunks import Evaluation, time_left
from reward_service.errors import InfraError, SandboxDown
from reward_service.run_schemas import RunSpec
from reward_service.runs import EXECUTE, facts_of, limits_of, program_of, spec_of, stdin_of
from reward_service.verdicts import Failure, Outcome, Ran, Score
from reward_service.verifiers.apply import crashed, verifier_of
from reward_service.verifiers.code import Code
from sandbox import (
    CheckerFailed,
    DeadlineExceeded,
    DockerSandbox,
    SandboxError,
    SandboxUnavailable,
    Submission,
    installed_languages,
)

RETRY_S = 5.0

log = structlog.get_logger()


class Programs:
    """Scores the programs in completions. `sandbox` is None where code is switched off."""

    def __init__(self, sandbox: DockerSandbox | None) -> None:
        self._sandbox = sandbox
        self._tried = asyncio.Event()
        self.languages: Mapping[str, str] | None = None if sandbox else {}
        """Version by name of what can be run; None until the sandbox has told."""
        self._why_down = "code rewards are switched off (RULEGRADE_SANDBOX_BACKEND=off)"
        self.is_up = False

    @property
    def state(self) -> str:
        """`ok`, `off`, `starting`, or `down: why`."""
        if self._sandbox is None:
            return "off"
        if self.is_up:
            trouble = self._sandbox.trouble
            return "ok" if trouble is None else f"down: {trouble}"
        return f"down: {self._why_down}" if self._tried.is_set() else "starting"

    def parts(self) -> dict[str, str]:
        """The state of each part that rewards need; those in this process live and die with it."""
        return {"queue": "ok", "pool": "ok", "sandbox": self.state}

    async def keep_up(self) -> None:
        """Start the sandbox, trying again until it is up."""
        while self._sandbox is not None and not self.is_up:
            try:
                await self._sandbox.start()
                self.languages = await installed_languages(self._sandbox)
                self.is_up = True
                log.info("sandbox_up", languages=dict(self.languages))
            except SandboxError as error:
                await self._sandbox.close()
                if self._why_down != str(error):
                    log.warning("sandbox_down", reason=str(error))
                self._why_down = str(error)
            self._tried.set()
            await asyncio.sleep(0 if self.is_up else RETRY_S)

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
        judgement = await sandbox.judge(submission, deadline=_unix(deadline))
        return code.score(judgement), sum(test.wall_ms for test in judgement.tests) / 1000

    async def _execute(self, spec: RunSpec, deadline: float) -> tuple[Outcome, float]:
        sandbox = await self._ready()
        if spec.language not in self.known_languages():
            return _unavailable(spec.language), 0.0
        program, stdin, limits = program_of(spec), stdin_of(spec), limits_of(spec)
        run = await sandbox.run(program, stdin, limits, deadline=_unix(deadline))
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

    def known_languages(self) -> Mapping[str, str]:
        """Version by name of every language that can be run. Raises SandboxDown."""
        if self.languages is None:
            raise SandboxDown(self._why_down)
        return self.languages

    async def close(self) -> None:
        """Remove every container."""
        if self._sandbox is not None:
            await self._sandbox.close()

    async def _ready(self) -> DockerSandbox:
        if self._sandbox is not None:
            await self._tried.wait()
            if self.is_up:
                return self._sandbox
        raise SandboxDown(self._why_down)


def _unavailable(language: str) -> Failure:
    message = f"the sandbox image does not hold {language}"
    return Failure("language_unavailable", "sandbox", message)


def _unix(deadline: float) -> float:
    """The sandbox's deadlines are in Unix seconds."""
    return time.time() + time_left(deadline)
