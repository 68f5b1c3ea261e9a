"""A sandbox of Docker containers, one slot each."""

from types import TracebackType
from typing import Self

from sandbox.base import Limits, Program, Run
from sandbox.judge import Judgement, Submission


class DockerSandbox:
    """Runs and judges programs in `slots` locked-down containers."""

    def __init__(
        self, image: str | None = None, *, slots: int = 2, owner: str | None = None
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""
        raise NotImplementedError

    async def judge(self, submission: Submission, *, deadline: float) -> Judgement:
        """Compile and test a submission. Raises SandboxError; `deadline` is in Unix seconds."""
        raise NotImplementedError

    async def run(
        self, program: Program, stdin: bytes = b"", limits: Limits | None = None, *, deadline: float
    ) -> Run:
        """Compile and run one program. Raises SandboxError; `deadline` is in Unix seconds."""
        raise NotImplementedError

    async def close(self) -> None:
        """Kill and remove every container. Safe to call twice."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()
