"""The start-up check passes real slots and no others."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from sandbox import DockerSandbox, Limits, Program, Run, SandboxUnavailable, Status
from sandbox.base import Pair
from sandbox.canaries import check
from sandbox.images.build import BASE

pytestmark = pytest.mark.asyncio(loop_scope="session")


class BareSlot:
    """Runs programs as the user of the tests, with no isolation at all."""

    is_usable = True

    def __init__(self) -> None:
        self._source = ""

    async def compile(
        self,
        program: Program,
        limits: Limits,
        *,
        deadline: float,
        side: str = "program",
        built: bytes | None = None,
    ) -> Run:
        self._source = "print(42)" if program.language == "cpp" else program.source
        return Run(Status.OK)

    async def run(
        self,
        inputs: Sequence[bytes],
        limits: Limits,
        *,
        deadline: float,
        call: str | None = None,
        files: Mapping[str, bytes] | None = None,
        is_failure_last: bool = False,
    ) -> list[Run]:
        return [self._run(stdin) for stdin in inputs]

    def _run(self, stdin: bytes) -> Run:
        command = [sys.executable, "-c", self._source]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        return Run(Status.OK, done.stdout, done.stderr, done.returncode)

    async def run_pair(
        self,
        stdin: bytes,
        limits: Limits,
        *,
        deadline: float,
        link: str = "socket",
        roles: object = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Pair:
        raise NotImplementedError

    async def stop(self) -> None:
        return

    async def close(self) -> None:
        return


async def test_a_slot_without_isolation_is_refused_by_name() -> None:
    with pytest.raises(SandboxUnavailable, match="no sockets"):
        await check(BareSlot())


async def test_an_image_without_an_agent_is_refused(built: None) -> None:
    with pytest.raises(SandboxUnavailable):
        await DockerSandbox(BASE, slots=1).start()
