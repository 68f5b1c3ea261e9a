"""
The spawner: starts a jail for every run, and never sees a request.

A run is a fork of this process, so whatever this process holds in memory a run could find. Programs
and inputs therefore reach it as descriptors only, and it reads none of them. Between two runs it
stays in C, in `jail_serve`: what it touches, every run has to copy.

Started as `exec` or `judge-exec`, its runs begin with an exec, of any program; as any other kind,
they go on in this interpreter, which is warm.
"""

import ctypes
import os
import stat
import sys

LIBRARY = "/opt/rulegrade/jail.so"

ENDED, PLAIN = 1, 0
"""What `jail_serve` returns: to the spawner, and in a run that is `main` and reads a pipe."""

FRAMES = 6
"""Ours, below a program's first: main, become, _guarded, _main, _execute, and the module of -c."""


def main() -> None:
    """Serve on the socket and as the kind that the arguments name, with the modules behind.

    A jail is started for every request and waited for, until the front goes away.
    """
    channel, kind, modules = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    # PyDLL keeps the interpreter's lock, so that a run can return into Python. The interpreter is
    # not told of the fork: with one thread and no lock held there is nothing to repair, and what
    # it would do touches as many pages as a short program.
    library = ctypes.PyDLL(LIBRARY)
    library.jail_role.restype = ctypes.c_char_p
    if kind.endswith("exec"):
        import signal  # an interpreter that is to be forked had better be without

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        library.jail_serve(channel)
        return
    from sandbox.agent import memory, zygote

    zygote.warm_up(modules)
    zygote.expect(FRAMES)
    memory.keep_code_mapped()
    begun = library.jail_serve(channel)
    if begun == PLAIN:
        zygote.become()
    elif begun != ENDED:
        if stat.S_ISREG(os.fstat(0).st_mode):
            zygote.renew_streams()
        name, argument = (library.jail_role(i).decode("utf-8", "surrogatepass") for i in range(2))
        zygote.become(name, argument)
