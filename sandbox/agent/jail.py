"""jail.c for Python: one function, and the structure it takes."""

import ctypes
import os
from collections.abc import Sequence
from typing import Any

ROOT = b"/opt/rulegrade/root"
LIBRARY = "/opt/rulegrade/jail.so"

FIXED_FDS = 6
"""stdin, stdout, stderr, status, artifact and result come first; then the link, if there is one,
and the files."""


class _File(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("fd", ctypes.c_int), ("mode", ctypes.c_int))


class _Spec(ctypes.Structure):
    """`struct jail_spec` of jail.c, field by field."""

    _fields_ = (
        ("root", ctypes.c_char_p),
        ("files", ctypes.POINTER(_File)),
        ("file_count", ctypes.c_int),
        ("stdin_fd", ctypes.c_int),
        ("stdout_fd", ctypes.c_int),
        ("stderr_fd", ctypes.c_int),
        ("status_fd", ctypes.c_int),
        ("channel_fd", ctypes.c_int),
        ("result_fd", ctypes.c_int),
        ("link_fd", ctypes.c_int),
        ("artifact_fd", ctypes.c_int),
        ("artifact", ctypes.c_char_p),
        ("artifact_max_bytes", ctypes.c_uint64),
        ("outputs", ctypes.POINTER(ctypes.c_char_p)),
        ("output_max_bytes", ctypes.c_uint64),
        ("cpu_s", ctypes.c_uint64),
        ("stack_bytes", ctypes.c_uint64),
        ("disk_bytes", ctypes.c_uint64),
        ("processes", ctypes.c_uint64),
        ("argv", ctypes.POINTER(ctypes.c_char_p)),
        ("envp", ctypes.POINTER(ctypes.c_char_p)),
        ("uid", ctypes.c_uint),
        ("gid", ctypes.c_uint),
    )


class Jailer:
    """Starts jails by forking this process."""

    def __init__(self, channel_fd: int) -> None:
        self._channel_fd = channel_fd
        # PyDLL keeps the interpreter's lock, so that a run can return into Python.
        self._spawn = ctypes.PyDLL(LIBRARY, use_errno=True).jail_spawn

    def spawn(self, request: dict[str, Any], fds: Sequence[int]) -> bool:
        """Start a run, send a pidfd of its jail's init over the channel, and wait for its end.

        True in the run itself if the request names no command, else False. Raises OSError if the
        kernel grants no namespaces.
        """
        spec = _spec(request, fds)
        spec.channel_fd = self._channel_fd
        python = ctypes.pythonapi
        python.PyOS_BeforeFork()
        pid = int(self._spawn(ctypes.byref(spec)))
        if pid == 0:
            python.PyOS_AfterFork_Child()
            return True
        python.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(ctypes.get_errno(), "no namespaces")
        os.waitpid(pid, 0)
        return False


def _spec(request: dict[str, Any], fds: Sequence[int]) -> _Spec:
    files = (_File * len(request["files"]))()
    contents = fds[FIXED_FDS + request["has_link"] :]
    for index, (name, mode) in enumerate(request["files"]):
        files[index] = _File(name.encode("utf-8", "surrogateescape"), contents[index], mode)
    artifact, argv, outputs = request["artifact"], request["argv"], request["outputs"]
    return _Spec(
        root=ROOT,
        files=files,
        file_count=len(files),
        stdin_fd=fds[0],
        stdout_fd=fds[1],
        stderr_fd=fds[2],
        status_fd=fds[3],
        artifact_fd=fds[4] if artifact or outputs else -1,
        artifact=artifact.encode() if artifact else None,
        result_fd=fds[5] if request["has_result"] else -1,
        link_fd=fds[6] if request["has_link"] else -1,
        artifact_max_bytes=request["artifact_max_bytes"],
        outputs=_strings(outputs) if outputs else None,
        output_max_bytes=request["output_max_bytes"],
        cpu_s=request["cpu_s"],
        stack_bytes=request["stack_bytes"],
        disk_bytes=request["disk_bytes"],
        processes=request["processes"],
        argv=None if argv is None else _strings(argv),
        envp=None if argv is None else _strings(request["env"]),
    )


def _strings(texts: Sequence[str]) -> Any:
    array = (ctypes.c_char_p * (len(texts) + 1))()
    for index, text in enumerate(texts):
        array[index] = text.encode("utf-8", "surrogateescape")
    return array
