"""
The warm interpreter: what a Python program finds is as if it had been started by exec, only sooner.

Starting Python takes 10 ms and importing numpy 80 ms; a fork of a process that has done both takes
1 to 2 ms. The differences that are left: modules of the preloaded list are in `sys.modules` already
and every run has the same address space layout.

A run pays for every page that the interpreter has, when they are mapped again, and once more for
every page that it touches. So little is preloaded, and little is done between the fork and the
program.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import sys
from types import ModuleType

TYPE_CHECKING = False  # `typing` is not there yet, and every run would pay for it
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

WORK = "/box"
SOURCE = "/box/main.py"
OURS = "/opt/rulegrade/"

LIGHT = """
    __future__ abc bisect collections copy functools heapq io itertools math operator os sys time
"""
"""What most programs make do with: half the memory of what all of them commonly import."""

USUAL = """
    array cmath collections.abc contextlib ctypes dataclasses datetime decimal enum fractions json
    linecache numbers os.path queue random re statistics string struct textwrap threading
    traceback types typing unicodedata
"""
"""What programs commonly import besides. Not hashlib, subprocess and tempfile, which few do: a
megabyte."""

CALLING = "sandbox.agent.driver"
SERVING = "sandbox.agent.serving"
TRIAL = "sandbox.agent.trial"
"""What the roles `call`, `serve` and `judge` need; the last two are as large as all the above."""

_REHEARSAL = b"""
import sys, math, collections, heapq, itertools
def solve(n):
    counts = collections.Counter(str(i % 7) for i in range(n))
    heap = [(-v, k) for k, v in counts.items()]
    heapq.heapify(heap)
    return sorted(heap), math.isqrt(n), list(itertools.accumulate(range(9)))
class Node:
    def __init__(self, value): self.value, self.next = value, None
print(f"{solve(99)!r:.60}", Node(1).value, *map(int, "1 2 3".split()), sep=" ")
try:
    input()
except EOFError:
    pass
"""
"""Runs before the first request: the interpreter rewrites code that it has run a few times."""

REHEARSALS = 20

_ours: dict[str, ModuleType] = {}
"""What was imported for roles; our own modules are hidden from programs."""

_exit = os._exit
_kill, _SIGKILL = os.kill, 9
_open, _read, _close = os.open, os.read, os.close


def warm_up(modules: Sequence[str]) -> None:
    """Import LIGHT and these, and touch what every run touches.

    `modules` are libraries, and CALLING, SERVING or TRIAL for the roles that need them.
    """
    for name in (*LIGHT.split(), *modules):
        try:
            module = importlib.import_module(name)
        except ImportError:  # a host may lack some
            continue
        if name in (CALLING, SERVING, TRIAL):
            _ours[name] = module
    _hide_ourselves()
    for _ in range(REHEARSALS):
        renew_streams()
        _new_module("__main__")
        _contents(os.devnull)
        _guarded(_main, _REHEARSAL, "")
        _flush()
    _prepare_streams()
    _new_module("__main__")
    gc.collect()
    gc.freeze()


def expect(frames: int) -> None:
    """Make room for `frames` of ours below a program: some recurse up to the default limit."""
    sys.setrecursionlimit(sys.getrecursionlimit() + frames)


def become(name: str = "main", argument: str = "") -> NoReturn:
    """Take on a role, on the program in the work directory.

    `main` runs it; `call` calls its function `argument` on the JSON in stdin; `serve` lets the
    judge's side of a pair use it; `judge` takes it for test code, and runs that.
    """
    source = _contents(SOURCE)
    if b"random" in source:  # it takes as long as the rest of the start
        _reseed()
    _end(_guarded(_ROLES[name], source, argument))


def _contents(path: str) -> bytes:
    # Bare system calls: a file object touches a dozen pages more.
    fd = _open(path, os.O_RDONLY | os.O_CLOEXEC)
    chunks = []
    while chunk := _read(fd, 1 << 14):
        chunks.append(chunk)
    _close(fd)
    return b"".join(chunks)


def _main(source: bytes, _: str) -> None:
    _execute(source, sys.modules["__main__"])


def _call(source: bytes, function: str) -> None:
    with open(0, "rb", closefd=False) as file:
        request = file.read()
    module = _new_module("solution")  # what is guarded by __main__ is no part of a function
    _execute(source, module)
    _ours[CALLING].call(module, function, request)


def _serve(source: bytes, _: str) -> None:
    def load(name: str) -> ModuleType:
        module = _new_module(name)
        _execute(source, module)
        return module

    _ours[SERVING].Program(load).serve()


def _judge(source: bytes, _: str) -> None:
    with open(0, "rb", closefd=False) as file:
        request = file.read()
    _ours[TRIAL].judge(source, SOURCE, request)


_ROLES: dict[str, Callable[[bytes, str], None]] = {
    "main": _main,
    "call": _call,
    "serve": _serve,
    "judge": _judge,
}


def _execute(source: bytes, module: ModuleType) -> None:
    exec(compile(source, SOURCE, "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def _hide_ourselves() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    sys.path[:] = [WORK, *(path for path in sys.path if path not in ("", OURS.rstrip("/")))]
    sys.argv[:] = ["main.py"]


def renew_streams() -> None:
    """Streams on descriptors 0 to 2, as the interpreter makes them at its start.

    A run needs them whose standard input is a file: the prepared one takes it for a pipe.
    """
    encoding, errors = sys.stdin.encoding, sys.stdin.errors
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding, errors
    )
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding, errors
    )
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding,
        "backslashreplace",
        line_buffering=True,
    )
    for stream, name in ((sys.stdin, "stdin"), (sys.stdout, "stdout"), (sys.stderr, "stderr")):
        stream.buffer.raw.name = f"<{name}>"
        setattr(sys, f"__{name}__", stream)


def _prepare_streams() -> None:
    """Streams for the runs to come, made while descriptors 0 to 2 are pipes, as they will be then.

    What a stream can do, it finds out when it is made.
    """
    kept = [os.dup(fd) for fd in range(3)]
    read, write = os.pipe()
    for fd, end in enumerate((read, write, write)):
        os.dup2(end, fd)
    renew_streams()
    for fd, end in enumerate(kept):
        os.dup2(end, fd)
    for fd in (*kept, read, write):
        os.close(fd)


def _reseed() -> None:
    if (random := sys.modules.get("random")) is not None:
        random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


def _new_module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(__file__=SOURCE, __builtins__=sys.modules["builtins"], __cached__=None)
    sys.modules[name] = module
    return module


def _guarded(action: Callable[[bytes, str], None], source: bytes, argument: str) -> int:
    """Exit status of an action whose exceptions are printed as the interpreter would."""
    try:
        action(source, argument)
    except SystemExit as leave:
        return _status(leave.code)
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
            trace = trace.tb_next  # none of our frames
        error.__traceback__ = trace
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _end(status: int) -> NoReturn:
    """What an interpreter does at its end, without taking itself apart first."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None and len(threading._active) > 1:
            threading._shutdown()
        atexit._run_exitfuncs()
        _flush()
    except SystemExit as leave:
        status = _status(leave.code)
    except BaseException:
        status = 120
    _exit(status)
    while True:  # only if somebody put another function in its place
        _kill(os.getpid(), _SIGKILL)
