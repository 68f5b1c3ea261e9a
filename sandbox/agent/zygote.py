"""
The warm interpreter: what a Python program finds is as if it had been started by exec, only sooner.

Starting Python takes 10 ms and importing numpy 80 ms; a fork of a process that has done both takes
2 ms. The differences that are left: modules of the preloaded list are in `sys.modules` already, and
every run has the same address space layout.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NoReturn

from sandbox.agent import driver, serving, trial

WORK = "/box"
SOURCE = "/box/main.py"
OURS = "/opt/rulegrade/"

_PRELOAD = """
    abc array ast bisect cmath collections collections.abc contextlib copy ctypes dataclasses
    datetime decimal enum fractions functools hashlib heapq inspect io itertools json linecache
    math numbers operator os os.path queue random re statistics string struct subprocess sys
    tempfile textwrap threading time traceback types typing unicodedata
"""

_JUDGE_PRELOAD = """
    unittest unittest.mock unittest.runner pytest _pytest.assertion.rewrite _pytest.python_api
"""

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
"""Runs before the first request, so that the pages it touches are not copied by every run."""

_exit = os._exit
_kill = os.kill


def warm_up(libraries: Sequence[str] = (), *, for_judge: bool = False) -> None:
    """Import what programs commonly use, and touch what every run touches."""
    for name in (*_PRELOAD.split(), *(_JUDGE_PRELOAD.split() if for_judge else ()), *libraries):
        with contextlib.suppress(ImportError):  # a host may lack some
            importlib.import_module(name)
    _hide_ourselves()
    for _ in range(3):
        _renew_streams()
        _guarded(lambda: _execute(_REHEARSAL, _new_module("__main__")))
    _prepare_streams()
    gc.collect()
    gc.freeze()


def become(name: str, argument: str = "") -> NoReturn:
    """Take on a role, on the program in the work directory.

    `main` runs it; `call` calls its function `argument` on the JSON in stdin; `serve` lets the
    judge's side of a pair use it; `judge` takes it for test code, and runs that.
    """
    # Our own frames must not count: some programs recurse up to the default limit.
    sys.setrecursionlimit(sys.getrecursionlimit() + _depth() + 3)
    if stat.S_ISREG(os.fstat(0).st_mode):  # the prepared one takes it for a pipe
        _renew_streams()
    with open(SOURCE, "rb", buffering=0) as file:
        source = file.read()
    if b"random" in source:  # it takes as long as the rest of the start
        _reseed_numpy()
    _end(_guarded(lambda: _ROLES[name](source, argument)))


def _main(source: bytes, _: str) -> None:
    _execute(source, _new_module("__main__"))


def _call(source: bytes, function: str) -> None:
    with open(0, "rb", closefd=False) as file:
        request = file.read()
    module = _new_module("solution")  # what is guarded by __main__ is no part of a function
    _execute(source, module)
    driver.call(module, function, request)


def _serve(source: bytes, _: str) -> None:
    def load(name: str) -> ModuleType:
        module = _new_module(name)
        _execute(source, module)
        return module

    serving.Program(load).serve()


def _judge(source: bytes, _: str) -> None:
    with open(0, "rb", closefd=False) as file:
        request = file.read()
    trial.judge(source, SOURCE, **json.loads(request))


_ROLES: dict[str, Callable[[bytes, str], None]] = {
    "main": _main,
    "call": _call,
    "serve": _serve,
    "judge": _judge,
}


def _execute(source: bytes, module: ModuleType) -> None:
    exec(compile(source, SOURCE, "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _hide_ourselves() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    sys.path[:] = [WORK, *(path for path in sys.path if path not in ("", OURS.rstrip("/")))]
    sys.argv[:] = ["main.py"]


def _renew_streams() -> None:
    """Streams on descriptors 0 to 2, as the interpreter makes them at its start."""
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
    _renew_streams()
    for fd, end in enumerate(kept):
        os.dup2(end, fd)
    for fd in (*kept, read, write):
        os.close(fd)


def _reseed_numpy() -> None:
    # The standard library's generator reseeds itself after a fork.
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _new_module(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(__file__=SOURCE, __builtins__=sys.modules["builtins"], __cached__=None)
    sys.modules[name] = module
    return module


def _guarded(action: Callable[[], None]) -> int:
    """Exit status of an action whose exceptions are printed as the interpreter would."""
    try:
        action()
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


def _end(status: int) -> NoReturn:
    """What an interpreter does at its end, without taking itself apart first."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except SystemExit as leave:
        status = _status(leave.code)
    except BaseException:
        status = 120
    _exit(status)
    while True:  # only if somebody put another function in its place
        _kill(os.getpid(), signal.SIGKILL)
