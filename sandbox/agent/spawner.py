"""
The spawner: starts a jail for every run, and never sees a request.

A run is a fork of this process, so whatever this process holds in memory a run could find. Programs
and inputs therefore reach it as descriptors only, and it reads none of them.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

ROOT = b"/opt/rulegrade/root"
LIBRARY = "/opt/rulegrade/jail.so"
MAX_REQUEST = 1 << 16
MAX_FILES = 64


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
        ("result_fd", ctypes.c_int),
        ("artifact_fd", ctypes.c_int),
        ("artifact", ctypes.c_char_p),
        ("artifact_max_bytes", ctypes.c_uint64),
        ("cpu_s", ctypes.c_uint64),
        ("stack_bytes", ctypes.c_uint64),
        ("disk_bytes", ctypes.c_uint64),
        ("processes", ctypes.c_uint64),
        ("argv", ctypes.POINTER(ctypes.c_char_p)),
        ("envp", ctypes.POINTER(ctypes.c_char_p)),
    )


def _strings(texts: Sequence[str]) -> Any:
    array = (ctypes.c_char_p * (len(texts) + 1))()
    for index, text in enumerate(texts):
        array[index] = text.encode("utf-8", "surrogateescape")
    return array


def _spec(request: dict[str, Any], fds: Sequence[int]) -> _Spec:
    """Fill the structure; `fds` are stdin, stdout, stderr, status, artifact, then the files."""
    files = (_File * len(request["files"]))()
    for index, (name, mode) in enumerate(request["files"]):
        files[index] = _File(name.encode("utf-8", "surrogateescape"), fds[5 + index], mode)
    artifact = request["artifact"]
    return _Spec(
        root=ROOT,
        files=files,
        file_count=len(files),
        stdin_fd=fds[0],
        stdout_fd=fds[1],
        stderr_fd=fds[2],
        status_fd=fds[3],
        result_fd=-1,
        artifact_fd=fds[4] if artifact else -1,
        artifact=artifact.encode() if artifact else None,
        artifact_max_bytes=request["artifact_max_bytes"],
        cpu_s=request["cpu_s"],
        stack_bytes=request["stack_bytes"],
        disk_bytes=request["disk_bytes"],
        processes=request["processes"],
        argv=_strings(request["argv"]),
        envp=_strings(request["env"]),
    )


def serve(channel: socket.socket) -> None:
    """Answer each request with init's pid and a pidfd of it, until the front goes away."""
    # PyDLL keeps the interpreter's lock: the run may return into Python after a fork.
    library = ctypes.PyDLL(LIBRARY, use_errno=True)
    while True:
        message, fds, _, _ = socket.recv_fds(channel, MAX_REQUEST, MAX_FILES)
        if not message:
            return
        _reap()
        request = json.loads(message)
        pid = library.jail_spawn(ctypes.byref(_spec(request, fds)))
        if pid < 0:
            reason = os.strerror(ctypes.get_errno())
            channel.send(json.dumps({"error": f"no namespaces: {reason}"}).encode())
        else:
            pidfd = os.pidfd_open(pid)
            socket.send_fds(channel, [json.dumps({"pid": pid}).encode()], [pidfd])
            os.close(pidfd)
        for fd in fds:
            os.close(fd)


def _reap() -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(socket.socket(fileno=int(sys.argv[1])))
