"""
The program's side of a test: the program as a module, used from the judge's side through the link.

Runs in the program's own process, so nothing here decides anything and nothing here is secret.
"""

import io
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sandbox.agent import driver
from sandbox.agent.link import LinkBroken
from sandbox.agent.peer import Peer

_exit = os._exit


class Printed(io.RawIOBase):
    """Below `sys.stdout`: what is printed shows on the judge's side, where tests look for it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: Any) -> int:
        """Keep it for the next message."""
        chunk = bytes(data)
        self._chunks.append(chunk)
        return len(chunk)

    def writable(self) -> bool:
        """Yes."""
        return True

    def take(self) -> str:
        """What was written since the last time."""
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks).decode("utf-8", "replace")


class Program(Peer):
    """Serves the program to its tests."""

    resolves_names = True  # a test's `str.upper` is the program's own

    def __init__(self, load: Callable[[str], ModuleType]) -> None:
        super().__init__()
        self._load = load
        self._module: ModuleType | None = None
        self._ended = -1
        self._stdout = Printed()
        sys.stdout = io.TextIOWrapper(self._stdout, "utf-8", write_through=True)

    def serve(self) -> None:
        """Until the judge's side ends."""
        while True:
            try:
                self._serve(self._receive())
            except LinkBroken:
                return

    def _serve(self, message: list[Any]) -> None:
        match message[1]:
            case "fork":
                self._fork()
            case "end":
                self._send(["r", [], None])
                os.write(self._ended, b"e")
                _exit(0)
            case _:
                super()._serve(message)

    def _fork(self) -> None:
        """Serve one test in a copy of this process, and go on from here when it is over."""
        ended, self._ended = os.pipe()
        try:
            pid = os.fork()
        except OSError:  # no more processes: then the tests share this one
            pid = -1
        if pid <= 0:
            self._send(["r", [], len(self._objects) if pid == 0 else None])
            return
        os.close(self._ended)
        is_over = os.read(ended, 1)
        os.close(ended)
        _, status = os.waitpid(pid, 0)
        if not is_over:  # it died; the judge's side learns it from our end
            code = os.waitstatus_to_exitcode(status)
            if code < 0:
                os.kill(os.getpid(), -code)
            _exit(code)

    def perform(
        self, operation: str, subject: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Besides what every side does: load the module, and find what a task names."""
        match operation:
            case "load":
                return self._loaded(*arguments)
            case "find":
                return driver.find(self._loaded("solution"), *arguments)
            case "names":
                return _public_names(subject)
            case "data":
                return _data(subject)
        return super().perform(operation, subject, arguments, keywords)

    def _loaded(self, name: str) -> ModuleType:
        """The program, which is one module whatever names its tests have for it."""
        if self._module is None:
            self._module = self._load(name)
        return sys.modules.setdefault(name, self._module)

    def printed(self) -> str:
        """All that the program wrote to the stream that was `sys.stdout` at its start."""
        return self._stdout.take()

    def is_plain(self, kind: type) -> bool:
        """A class that the tests hold is wanted for its methods; of others the data counts."""
        return id(kind) not in self._numbers


def _public_names(module: ModuleType) -> list[str]:
    """What `from module import *` takes, but for the modules that both sides have."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    ]


def _data(value: Any) -> Any:
    """What an object of a subclass of a built-in type holds, read by that type's accessors."""
    kind = type(value)
    for base, read in _READ.items():
        if issubclass(kind, base):
            return read(value)
    return NotImplemented


_READ: dict[type, Callable[[Any], Any]] = {
    int: int.__index__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes(bytes.__iter__(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    list: lambda value: list(list.__iter__(value)),
    dict: lambda value: dict(dict.items(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}
