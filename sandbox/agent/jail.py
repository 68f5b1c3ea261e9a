"""
A jail seen from outside: by its first process, with which all that lives there ends.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.agent import request

KILL_GRACE_S = 15.0
"""A killed process tree is gone well within this; if not, the container is unusable."""


class JailError(Exception):
    """The jail could not be built or ended; the run says nothing about the program."""


@dataclass(slots=True)
class Jail:
    """Begins and ends with its init, of which this holds a descriptor."""

    pidfd: int
    is_gone: bool = False

    @property
    def init_pid(self) -> int:
        """Process id of init; 0 once that has gone."""
        with open(f"/proc/self/fdinfo/{self.pidfd}", encoding="ascii") as info:
            words = info.read().split()
        return max(0, int(words[words.index("Pid:") + 1]))

    def kill(self) -> None:
        """Have the kernel kill all its processes."""
        with contextlib.suppress(ProcessLookupError):  # it ended by itself a moment ago
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]

    def end(self) -> None:
        """Kill it, if it still lives, and return when all is gone. Raises JailError."""
        if not self.is_gone:
            self.kill()
            if not select.select([self.pidfd], [], [], KILL_GRACE_S)[0]:
                raise JailError("a killed jail did not go away")
        os.close(self.pidfd)


def begin_run(
    spawner: socket.socket,
    body: bytes,
    fds: Sequence[int],
    *,
    jail: Jail | None,
    has_next: bool,
) -> Jail:
    """Start what the request's `body` says, in a new jail unless one waits for it.

    Raises JailError where there can be no jail.
    """
    message = request.in_turn(body, is_next=jail is not None, has_next=has_next)
    with contextlib.suppress(BrokenPipeError):  # its last words are still to be read
        socket.send_fds(spawner, [message], fds)
    if jail is not None:
        return jail
    words, received, _, _ = socket.recv_fds(spawner, 4096, 1)
    if not received:
        raise JailError(words.decode(errors="replace") or "the spawner is gone")
    return Jail(received[0])
