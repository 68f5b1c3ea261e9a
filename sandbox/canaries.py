"""
What a slot must show before it is trusted with anything: attacks that must fail, honest programs
that must not.

A mistake in how a host is set up (a runtime that ignores a flag, a kernel without a namespace) is
found here, at the start, and not in a reward.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from sandbox.base import (
    COMPILE_LIMITS,
    LanguageMissing,
    Limits,
    Program,
    SandboxUnavailable,
    Status,
)
from sandbox.session import Slot

_PATIENT = Limits(cpu_s=10.0, wall_s=60.0)
"""Canaries test isolation, not speed: a slow host must pass, too."""

TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Canary:
    """A program and what must become of it."""

    name: str
    source: str
    stdin: bytes = b""
    stdout: bytes | None = b"held\n"
    status: Status = Status.OK
    limits: Limits = _PATIENT
    language: str = "python"


def _attack(name: str, attempt: str) -> Canary:
    """An attack that should raise an exception or yield something false."""
    source = (
        f"import os, ctypes, socket\ntry:\n    got = {attempt}\nexcept Exception:\n    got = None\n"
    )
    return Canary(name, source + "print('held' if not got else got)\n")


CANARIES = (
    Canary("python runs", "print(int(input()) + 1)", b"41", b"42\n"),
    Canary(
        "c++ runs", '#include <cstdio>\nint main() { puts("42"); }', stdout=b"42\n", language="cpp"
    ),
    _attack("no sockets", "socket.socket()"),
    _attack("no other processes", "[p for p in os.listdir('/proc') if p.isdigit() and int(p) > 2]"),
    _attack("no sight of the jail's init", "open('/proc/1/environ').read()"),
    _attack(
        "no agent, no host",
        "[p for p in ('/opt', '/run', '/sys', '/var', '/root') if os.path.exists(p)]",
    ),
    _attack("no writing to /usr", "open('/usr/canary', 'w')"),
    _attack("no mount", "ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0"),
    _attack(  # the ways that the outer filter leaves open, because jails are made by them
        "no namespaces",
        "ctypes.CDLL(None).unshare(0x10000000) == 0 or ctypes.CDLL(None).syscall("
        "56 if os.uname().machine == 'x86_64' else 220, 0x10000011, 0, 0, 0, 0) >= 0",
    ),
    _attack("no other user", "os.setuid(0) is None or os.getuid() == 0"),
    _attack(
        "no capability", "int(open('/proc/self/status').read().split('CapEff:')[1].split()[0], 16)"
    ),
    _attack("leaves a trace", "open('/tmp/trace', 'w').close() or open('/box/trace', 'w').close()"),
    _attack("finds no trace", "os.path.exists('/tmp/trace') or os.path.exists('/box/trace')"),
    Canary(
        "processes are limited",
        "import os, time\nmade = 0\ntry:\n    while made < 16:\n"
        "        if not os.fork(): time.sleep(60)\n        made += 1\n"
        "except OSError:\n    print('held')\nelse:\n    print(made)\n",
        limits=replace(_PATIENT, processes=8),
    ),
    Canary(
        "time is limited",
        "while True: pass",
        stdout=None,
        status=Status.TIME_LIMIT_EXCEEDED,
        limits=replace(_PATIENT, cpu_s=0.1),
    ),
    Canary(
        "memory is limited",
        "x = bytearray(b'x') * (200 << 20)",
        stdout=None,
        status=Status.MEMORY_LIMIT_EXCEEDED,
        limits=replace(_PATIENT, memory_mb=64),
    ),
    Canary(
        "output is limited",
        "while True: print('x' * 1000)",
        stdout=None,
        status=Status.OUTPUT_LIMIT_EXCEEDED,
        limits=replace(_PATIENT, output_kb=16),
    ),
)
"""In this order: one of them looks for what the one before it left."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a canary."""

    name: str
    held: bool
    found: str


async def examine(slot: Slot) -> AsyncIterator[Finding]:
    """Run every canary in `slot`, in order. Raises SandboxError if one gets no answer."""
    deadline = time.monotonic() + TIMEOUT_S
    for canary in CANARIES:
        program = Program(canary.language, canary.source)
        try:
            run = await slot.compile(program, COMPILE_LIMITS, deadline=deadline)
        except LanguageMissing as error:  # what a slot cannot run needs no isolation
            yield Finding(canary.name, True, f"not tried: {error}")
            continue
        if run.status is Status.OK:
            (run,) = await slot.run([canary.stdin], canary.limits, deadline=deadline)
        held = run.status is canary.status and canary.stdout in (None, run.stdout)
        found = (run.stdout + run.stderr)[-300:].decode("utf-8", "replace")
        yield Finding(canary.name, held, f"{run.status.value}: {found!r}")


async def check(slot: Slot) -> None:
    """Run every canary in `slot`; SandboxUnavailable names the first that went wrong."""
    async for finding in examine(slot):
        if not finding.held:
            raise SandboxUnavailable(
                f"the start-up check {finding.name!r} failed ({finding.found}): "
                "this host does not isolate programs as it must, see docs/sandbox.md"
            )
