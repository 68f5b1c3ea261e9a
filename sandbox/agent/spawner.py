"""
The spawner: starts a jail for every run, and never sees a request.

A run is a fork of this process, so whatever this process holds in memory a run could find. Programs
and inputs therefore reach it as descriptors only, and it reads none of them. Between two runs it
stays in C, in `jail_serve`: what it touches, every run has to copy.

Started as `exec` or `judge-exec`, its runs begin with an exec, of any program; as any other kind,
they go on in this interpreter, which is warm.
"""

import ctypes
import signal
import socket
import sys

LIBRARY = "/opt/rulegrade/jail.so"


def serve(channel: socket.socket) -> tuple[str, str] | None:
    """Start a jail for every request and wait for its end, until the front goes away.

    Returns its role, with the argument, in a run that is to go on in this interpreter, else None.
    """
    # PyDLL keeps the interpreter's lock, so that a run can return into Python.
    library = ctypes.PyDLL(LIBRARY)
    library.jail_role.restype = ctypes.c_char_p
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    if library.jail_serve(channel.fileno()) != 0:
        return None
    python.PyOS_AfterFork_Child()
    channel.detach()  # its descriptor is closed and may come to mean something else
    name, argument = (library.jail_role(i).decode("utf-8", "surrogatepass") for i in range(2))
    return name, argument


def main() -> None:
    """Serve on the socket and as the kind that the arguments name, with the libraries behind."""
    channel, kind, libraries = socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:]
    if kind.endswith("exec"):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        serve(channel)
        return
    from sandbox.agent import zygote

    zygote.warm_up(libraries, for_judge=kind.startswith("judge"))
    role = serve(channel)
    if role is not None:
        zygote.become(*role)
