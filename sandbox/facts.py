"""
What an agent reports of runs, as `Run`s: numbers become a status here, outside the sandbox.

What the agent says is believed as a measurement, never as a verdict: it lives next to hostile code.
"""

import errno
import os
import re
import signal

from sandbox.agent import frames
from sandbox.base import (
    JUDGE_LIMITS,
    DeadlineExceeded,
    Limits,
    Pair,
    Run,
    RunStopped,
    SlotLost,
    Status,
)

_OUT_OF_MEMORY = re.compile(
    rb"^MemoryError\b|std::bad_alloc|java\.lang\.OutOfMemoryError|JavaScript heap out of memory|"
    rb"runtime: out of memory|memory allocation of \d+ bytes failed|\(NoMemoryError\)|"
    rb"^Out of memory|not enough memory",
    re.MULTILINE,
)
"""What the runtimes of all languages say last. Saying it falsely gains a program nothing."""

_STREAMS = ("stdout", "stderr", "result")
"""Of every run, in this order; its files come behind."""

_NO_PROGRAM = f"exec: {os.strerror(errno.ENOENT)}"


def lacks_program(facts: frames.Header | None, name: str) -> bool:
    """Whether a run never began because the sandbox has no program of this name."""
    return facts is not None and facts["setup_error"] == _NO_PROGRAM and name.startswith("/")


def run_of(facts: frames.Header, outputs: list[bytes], limits: Limits) -> Run:
    """One run. Raises SlotLost, DeadlineExceeded, RunStopped."""
    try:
        wait_status = facts["wait_status"]
        code = None if wait_status is None else os.waitstatus_to_exitcode(wait_status)
        stdout, stderr, result, *contents = outputs
        return Run(
            _status(facts, code, stderr, limits),
            stdout,
            stderr,
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            cpu_ms=round(float(facts["cpu_ms"]), 1),
            wall_ms=round(float(facts["wall_ms"]), 1),
            memory_kb=int(facts["memory_kb"]),
            result=result,
            was_starved=_was_starved(facts),
            files=dict(zip(facts["files"], contents, strict=True)),
            most_processes=int(facts["most_processes"]),
            was_survived=bool(facts["is_survived"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SlotLost(f"the agent's report cannot be read: {error!r}") from error


def runs_of(facts: frames.Header, outputs: list[bytes], limits: Limits, *, most: int) -> list[Run]:
    """Those that ended, of `most` that were ordered; RunStopped if none did. Else as `run_of`."""
    ended: list[Run] = []
    try:
        for program in [facts["program"], *facts["more"]][:most]:
            own = len(_STREAMS) + len(program["files"])
            ended.append(run_of(program, outputs[:own], limits))
            outputs = outputs[own:]
    except RunStopped:
        if not ended:
            raise
    except (KeyError, TypeError) as error:
        raise SlotLost(f"the agent's report cannot be read: {error!r}") from error
    return ended


def pair_of(facts: frames.Header, outputs: list[bytes], limits: Limits) -> Pair:
    """The runs of program and judge, see `run_of`."""
    try:
        program, judge = facts["program"], facts["judge"]
        return Pair(
            run_of(program, outputs[: len(_STREAMS)], limits),
            run_of(judge, outputs[len(_STREAMS) :], JUDGE_LIMITS),
        )
    except (KeyError, TypeError) as error:
        raise SlotLost(f"the agent's report cannot be read: {error!r}") from error


def _was_starved(facts: frames.Header) -> bool:
    """Whether it had work to do for most of its time, and the host ran others for much of it."""
    waited_ms, wall_ms = facts["waited_for_cpu_ms"], facts["wall_ms"]
    had_work = facts["cpu_ms"] + waited_ms > wall_ms / 2
    return facts["killed_for"] == "wall" and bool(had_work and waited_ms > wall_ms / 4)


def _status(facts: frames.Header, code: int | None, stderr: bytes, limits: Limits) -> Status:
    """`code` is the exit status, or the negative number of a signal."""
    match facts["killed_for"]:
        case "deadline":
            raise DeadlineExceeded("a run was not over at the deadline")
        case "stop":
            raise RunStopped("the run was stopped")
        case "output":
            return Status.OUTPUT_LIMIT_EXCEEDED
        case "memory":
            return Status.MEMORY_LIMIT_EXCEEDED
        case "cpu" | "wall":
            return Status.TIME_LIMIT_EXCEEDED
        case "partner":
            return Status.OK
    if facts["has_oversized_file"]:
        return Status.OUTPUT_LIMIT_EXCEEDED
    if facts["setup_error"] is not None:
        if not facts["setup_error"].startswith("exec"):
            raise SlotLost(f"no jail could be built: {facts['setup_error']}")
        return Status.RUNTIME_ERROR  # what was built is no program, or too large for any memory
    if facts["cpu_ms"] > limits.cpu_s * 1e3 or code == -signal.SIGXCPU:
        return Status.TIME_LIMIT_EXCEEDED
    if facts["memory_kb"] > limits.memory_mb * 1024:
        return Status.MEMORY_LIMIT_EXCEEDED
    if code == 0:
        return Status.OK
    if facts["oom_kills"] or _OUT_OF_MEMORY.search(stderr[-4096:]):
        return Status.MEMORY_LIMIT_EXCEEDED
    return Status.RUNTIME_ERROR
