"""
What a run is given: its files, its limits, and the ends of what joins it to another run.
"""

import math
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sandbox.agent import request

MAX_ARTIFACT_BYTES = 64 << 20
"""Of what a run leaves: its artifact, or all its output files together."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the work directory; its content is in a descriptor."""

    name: str
    mode: int
    fd: int


@dataclass(frozen=True, slots=True)
class Link:
    """A run's end of what joins a pair: a socket at descriptor 4, or pipes as 0 and 1."""

    socket: int | None = None
    stdin: int | None = None
    stdout: int | None = None

    def close(self) -> None:
        """Close this process's copies."""
        for fd in (self.socket, self.stdin, self.stdout):
            if fd is not None:
                os.close(fd)


@dataclass(frozen=True)
class Order:
    """What to run, and within which limits; the same for each of its inputs."""

    argv: list[str]
    env: list[str]
    files: list[File]
    limits: dict[str, Any]
    artifact: str | None = None
    outputs: list[str] = field(default_factory=list)
    """Names of files to bring back from the work directory, if they are there at the end."""
    role: dict[str, Any] | None = None
    """What to do in the warm interpreter, see `zygote.become`; None: an exec of `argv`."""
    has_result: bool = False
    """Whether it is given a descriptor 3, to hand out plain data."""
    link: Link = Link()

    @cached_property
    def request(self) -> bytes:
        """What a spawner is told of it."""
        limits = self.limits
        return request.encode(
            request.Request(
                # A backstop: the kernel counts each process alone and in whole seconds.
                cpu_s=math.ceil(limits["cpu_s"]) + 1,
                stack_bytes=limits["memory_mb"] << 20,
                disk_bytes=self._disk_bytes(),
                processes=limits["processes"],
                artifact_max_bytes=MAX_ARTIFACT_BYTES,
                output_max_bytes=limits["output_kb"] * 1024,
                has_result=self.has_result,
                has_link=self.link.socket is not None,
                files=[(file.name, file.mode) for file in self.files],
                artifact=self.artifact,
                outputs=self.outputs,
                role=(self.role["name"], self.role["argument"]) if self.role else None,
                argv=self.argv,
                env=self.env,
            )
        )

    def _disk_bytes(self) -> int:
        """The limit counts what the program writes: the files it is given have room beside it."""
        given = sum(os.fstat(file.fd).st_size for file in self.files)
        return int((self.limits["disk_mb"] << 20) + given)


def order_for(
    command: dict[str, Any],
    files: list[File],
    limits: dict[str, Any],
    *,
    outputs: Sequence[str] = (),
    link: Link = Link(),
    has_result: bool = False,
) -> Order:
    """What a command of the service says, see `front`, with these files and limits."""
    return Order(
        argv=command["argv"],
        env=command["env"],
        files=files,
        limits=limits,
        artifact=command.get("artifact"),
        outputs=list(outputs),
        role=command.get("role"),
        has_result=has_result or command.get("has_result", False),
        link=link,
    )


def sealed(content: bytes, name: str) -> int:
    """A descriptor of an anonymous file with this content."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def open_files(names: Sequence[str], contents: Sequence[bytes], mode: int = 0o444) -> list[File]:
    """Files of the work directory; the caller closes them."""
    pairs = zip(names, contents, strict=True)
    return [File(name, mode, sealed(content, "file")) for name, content in pairs]


def close_files(opened: Sequence[File]) -> None:
    """Give up the contents of files."""
    for file in opened:
        os.close(file.fd)


def socket_links() -> tuple[Link, Link]:
    """Two ends of a socket."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Link(socket=ends[0].detach()), Link(socket=ends[1].detach())


def pipe_links() -> tuple[Link, Link]:
    """What each of the two prints is what the other one reads."""
    (from_judge, judge_says), (from_program, program_says) = os.pipe(), os.pipe()
    return Link(stdin=from_judge, stdout=program_says), Link(stdin=from_program, stdout=judge_says)
