"""
The spawners of one slot: one that starts programs by an exec, and warm interpreters.

A plain interpreter is the cheapest to fork, since a fork copies what maps its memory; one with a
library saves its import, which takes longer than most programs run. So there is one of each, and a
program gets the smallest one that holds what its source names.
"""

import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec

from sandbox.agent.jail import JailError
from sandbox.agent.zygote import CALLING, LIGHT, SERVING, TRIAL, USUAL

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/box",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same order of sets in every run
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads cannot be forked, and CPU time counts all
    "OMP_NUM_THREADS": "1",
}
"""Of the spawners, and so of the programs that the warm interpreters run."""

START_SPAWNER = """
import sys
sys.path.insert(0, "/opt/rulegrade")
from sandbox.agent.spawner import main
main()
"""

STACK_BYTES = 1 << 30

READY = b"ready"
MAX_WORDS = 4096

LARGE = ("pandas", "scipy", "sympy")
"""Libraries that take most of a second to import. Their interpreter is started when it is asked
for: most slots never need its 100 MB."""

_TESTS = ("unittest", "unittest.mock", "unittest.runner", "pytest")
_REWRITING = ("_pytest.assertion.rewrite", "_pytest.python_api")

_PYTHON = (*USUAL.split(), CALLING)
_MODULES = {
    "light": (),
    "python": _PYTHON,
    "numpy": (*_PYTHON, "numpy"),
    "large": (*_PYTHON, "numpy", *LARGE, SERVING),
    "serve-python": (*_PYTHON, SERVING),
    "serve-numpy": (*_PYTHON, "numpy", SERVING),
    "judge-python": (*_PYTHON, "numpy", *_TESTS, *_REWRITING, TRIAL),
}
_LIGHT = {name.encode() for name in LIGHT.split()}
_FROM_THE_START = ("exec", "light", "python", "numpy")

_IMPORT = re.compile(rb"\bimport\b")
_PLAIN_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\w+)[ \t]+import\b"
    rb"|import[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*(?:as\b|[;#\r\n]|\Z))",
    re.MULTILINE,
)


class Spawners:
    """Processes that start jails, by kind: `exec`, `python`, `numpy`, `large`, those that serve a
    judge, and the judge's own."""

    def __init__(self, agents: set[int]) -> None:
        self._agents = agents
        self._ready: dict[str, socket.socket] = {}
        self._has_large = any(map(find_spec, LARGE))
        warming = {kind: self._start(kind) for kind in _FROM_THE_START}
        for kind, channel in warming.items():
            self._ready[kind] = _ready(channel)

    def get(self, kind: str) -> socket.socket:
        """The spawner of this kind, ready to start a jail. Raises JailError."""
        if kind not in self._ready:
            self._ready[kind] = _ready(self._start(kind))
        return self._ready[kind]

    def warm(self, kind: str, role: str) -> socket.socket:
        """The warm interpreter of this kind, with what the role needs. Raises JailError."""
        if kind == "light" and role != "main":
            kind = "python"
        has_other = role == "serve" and f"serve-{kind}" in _MODULES
        return self.get(f"serve-{kind}" if has_other else kind)

    def warm_kind(self, sources: Iterable[bytes]) -> str:
        """The kind of warm interpreter that suits a program of these files."""
        texts = list(sources)
        if self._has_large and _name_one_of(LARGE, texts):
            return "large"
        if _name_one_of(("numpy",), texts):
            return "numpy"
        return "light" if all(map(_imports_little, texts)) else "python"

    def _start(self, kind: str) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), kind, *_MODULES.get(kind, ())]
        # An exec and a clean environment, so that a run finds nothing of the container's in it.
        process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-c", START_SPAWNER, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT,
            pass_fds=[theirs.fileno()],
            # The room a stack may grow into is fixed when a program starts.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, -1)),
        )
        theirs.close()
        self._agents.add(process.pid)
        return ours


def _ready(channel: socket.socket) -> socket.socket:
    said = channel.recv(MAX_WORDS)
    if said != READY:
        raise JailError(said.decode(errors="replace") or "a spawner ended at its start")
    return channel


def _name_one_of(libraries: Iterable[str], texts: list[bytes]) -> bool:
    """Whether a text holds one of the names. One in a comment costs a little, and nothing else."""
    return any(name.encode() in text for name in libraries for text in texts)


def _imports_little(text: bytes) -> bool:
    """Whether each `import` is seen to be of LIGHT: what another one needs is read from files."""
    found = _PLAIN_IMPORT.findall(text)
    names = {name.strip() for one, several in found for name in (one or several).split(b",")}
    return len(found) == len(_IMPORT.findall(text)) and names <= _LIGHT
