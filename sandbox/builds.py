"""
What compilers made, kept by content: the same program is compiled once, also by many at a time.

What was made of a hostile source is hostile. It is bytes here, and is only ever handed back into a
jail. A program that does not compile is remembered, too; a failure of ours never is.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from sandbox.base import DeadlineExceeded, Program, Run, Status
from sandbox.languages import language_named

MAX_BYTES = 128 << 20
"""Of all that is kept; what was not asked for the longest goes first."""

MAX_BUILD_BYTES = 8 << 20
"""Larger ones are not kept: they are longer on their way than their compilers take."""


@dataclass(slots=True)
class Counts:
    """How often a compiled program was asked for."""

    made: int = 0
    """Times a compiler ran."""
    reused: int = 0
    """Times it had run before."""


class Claim:
    """The right to build one program, or in `build` what was built already."""

    def __init__(self, build: Run | None, keep: Callable[[Run], None]) -> None:
        self.build = build
        self._keep = keep

    def settle(self, build: Run) -> None:
        """Hand in how the compilation went, `files` holding what was made."""
        if self.build is None:
            self._keep(build)


class Builds:
    """Compilations by content of the program, for one image."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Run | None] = OrderedDict()
        self._size = 0
        self._under_way: dict[bytes, asyncio.Event] = {}
        self.counts = Counts()

    @asynccontextmanager
    async def claim(self, program: Program, deadline: float) -> AsyncIterator[Claim]:
        """Wait while somebody else builds `program`; then its build, or the right to build it.

        `deadline` is on `time.monotonic()`. Raises DeadlineExceeded.
        """
        key = _key(program)
        if key is None:
            yield Claim(None, lambda _: None)
            return
        await self._wait(key, deadline)
        if key in self._kept:
            self._kept.move_to_end(key)
            build = self._kept[key]
            self.counts.reused += build is not None
            self.counts.made += build is None
            yield Claim(build, lambda _: None)
            return
        self.counts.made += 1
        done = self._under_way[key] = asyncio.Event()
        try:
            yield Claim(None, partial(self._keep, key))
        finally:
            self._release(key, done)

    def _keep(self, key: bytes, build: Run) -> None:
        """Keep a build, or remember that there is nothing to keep; let those who wait go on."""
        self._forget(key)
        self._kept[key] = build if build.files or build.status is not Status.OK else None
        self._size += _size(self._kept[key])
        while self._size > self._max_bytes:
            self._forget(next(iter(self._kept)))
        self._release(key, self._under_way.get(key))

    def holds(self, program: Program) -> bool:
        """Whether another slot can run `program` without compiling it."""
        key = _key(program)
        return key is None or self._kept.get(key) is not None

    async def _wait(self, key: bytes, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                while (built := self._under_way.get(key)) is not None:
                    await built.wait()
        except TimeoutError:
            raise DeadlineExceeded("the program was not compiled before the deadline") from None

    def _release(self, key: bytes, done: asyncio.Event | None) -> None:
        if done is not None and self._under_way.get(key) is done:
            del self._under_way[key]
            done.set()

    def _forget(self, key: bytes) -> None:
        if key in self._kept:
            self._size -= _size(self._kept.pop(key))


def _size(build: Run | None) -> int:
    size = 1024  # of the entry itself
    if build is not None:
        size += len(build.stdout) + len(build.stderr) + sum(map(len, build.files.values()))
    return size


def _key(program: Program) -> bytes | None:
    """All that a compiler sees; None for a language without one."""
    language = language_named(program.language)
    if not language.compile:
        return None
    digest = hashlib.sha256()
    source = program.source.encode("utf-8", "surrogatepass")
    texts = [language.name.encode(), source]
    for name, content in sorted(program.files.items()):
        texts += [name.encode(), content]
    for text in texts:
        digest.update(b"%d " % len(text) + text)
    return digest.digest()
