"""What runs inside a worker process: read a call, apply the rule, write the outcome."""

import math
import pickle
import resource
import signal
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from reward_service.verdicts import dump_outcome
from reward_service.verifiers.apply import apply

PROCESS_NAME = "rulegrade-pool"


@dataclass(frozen=True, slots=True)
class Limits:
    """CPU seconds of one attempt; address space of a process in MB."""

    cpu_s: float
    memory_mb: int


def work(connection: socket.socket, limits: Limits) -> None:
    """Serve calls until the parent closes the socket, its death included."""
    Path("/proc/self/comm").write_text(PROCESS_NAME)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    size = limits.memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with connection, connection.makefile("rwb") as stream:
        while header := stream.read(4):
            (length,) = struct.unpack("!I", header)
            verifier, params, attempt = pickle.loads(stream.read(length))  # noqa: S301 ours
            _limit_cpu(limits.cpu_s)
            answer = dump_outcome(apply(verifier, params, attempt))
            stream.write(struct.pack("!I", len(answer)) + answer)
            stream.flush()


def _limit_cpu(cpu_s: float) -> None:
    """Let the kernel end this process when the next attempt uses more (whole seconds)."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + cpu_s), hard))
