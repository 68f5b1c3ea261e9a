"""
The spawner: starts a jail for every run, and never sees a request.

A run is a fork of this process, so whatever this process holds in memory a run could find. Programs
and inputs therefore reach it as descriptors only, and it reads none of them.

Started as `exec` or `judge-exec`, its runs begin with an exec, of any program; as `python` or
`judge-python`, they go on in this interpreter, which is warm.
"""

import json
import os
import signal
import socket
import sys
from typing import Any

from sandbox.agent.jail import Jailer

MAX_REQUEST = 1 << 17
MAX_FDS = 64


def serve(channel: socket.socket) -> dict[str, Any] | None:
    """Answer each request with a pidfd of its jail's init, until the front goes away.

    Returns the request in a run that is to go on in this interpreter, else None.
    """
    jailer = Jailer(channel.fileno())
    while True:
        message, fds, _, _ = socket.recv_fds(channel, MAX_REQUEST, MAX_FDS)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        try:
            is_the_run = jailer.spawn(request, fds)
        except OSError as error:
            channel.send(json.dumps({"error": str(error)}).encode())
        else:
            if is_the_run:
                channel.detach()  # its descriptor is closed and may come to mean something else
                return request
        for fd in fds:
            os.close(fd)


def main() -> None:
    """Serve on the socket that the first argument names, as the kind that the second one names."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    if sys.argv[2].endswith("exec"):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        serve(channel)
        return
    from sandbox.agent import zygote

    zygote.warm_up(for_judge=sys.argv[2] == "judge-python")
    request = serve(channel)
    if request is not None:
        zygote.become(**request["role"])
