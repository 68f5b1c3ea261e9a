"""The one place that knows which backends there are."""

from types import TracebackType
from typing import Literal, Protocol, Self

from sandbox.base import Limits, Program, Run
from sandbox.containers import DockerSandbox
from sandbox.submission import Judgement, Submission

BackendName = Literal["auto", "docker"]


class Backend(Protocol):
    """Runs and judges programs between `start` and `close`; deadlines are in Unix seconds."""

    @property
    def trouble(self) -> str | None:
        """Why no program can be run at present, in words; None while all is well."""

    async def start(self) -> None:
        """Make every slot ready. Raises SandboxUnavailable, saying what to do about it."""

    async def close(self) -> None:
        """Kill what runs and remove every slot. Safe to call twice."""

    async def run(
        self, program: Program, stdin: bytes = b"", limits: Limits | None = None, *, deadline: float
    ) -> Run:
        """Compile and run one program. Raises SandboxError."""

    async def judge(self, submission: Submission, *, deadline: float) -> Judgement:
        """Compile and test a submission. Raises SandboxError."""

    def isolation(self) -> dict[str, str]:
        """What isolates programs here, in words."""

    async def __aenter__(self) -> Self:
        """Start it."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Close it."""


def open_backend(name: BackendName = "auto", *, slots: int, image: str | None = None) -> Backend:
    """A backend that is not started yet; `image` is the containers', by default our own."""
    return DockerSandbox(image, slots=slots)
