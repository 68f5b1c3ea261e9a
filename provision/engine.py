"""
A Docker engine that answers: the one this machine has, or on Debian as root one we start.

Which engine counts is left to the sandbox, which is asked whether it can reach one. An engine that
somebody chose or runs is never started, stopped or replaced here.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from provision import debian
from provision.console import Log, SetupError, last_lines, say

SOCKET = Path("/var/run/docker.sock")
PID_FILE = Path("/var/run/docker.pid")
START_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 30.0
PROBE = "from sandbox.docker import Engine; Engine().close()"


def ensure_engine(bin_dir: Path, *, log: Log) -> None:
    """Return once an engine answers; SetupError says why none does and what to do."""
    if engine_answers(bin_dir):
        return
    _refuse_where_not_ours()
    if not shutil.which("dockerd"):
        debian.install("docker.io", log=log)
    if not engine_answers(bin_dir):
        _start(bin_dir, log)


def engine_answers(bin_dir: Path) -> bool:
    """Whether the sandbox can reach an engine."""
    try:
        probe = subprocess.run(
            [bin_dir / "python", "-I", "-c", PROBE], capture_output=True, timeout=PROBE_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


def _refuse_where_not_ours() -> None:
    chosen = os.environ.get("DOCKER_HOST")
    if chosen:
        raise SetupError(f"The Docker engine at DOCKER_HOST={chosen} does not answer. Start it.")
    context = _context()
    if context:
        raise SetupError(
            f"No engine answers at {SOCKET}; Docker's command line uses the context {context}.\n"
            "Choose its engine: export DOCKER_HOST="
            "$(docker context inspect --format '{{.Endpoints.docker.Host}}')"
        )
    if SOCKET.exists() and not os.access(SOCKET, os.W_OK):
        raise SetupError(
            f"A Docker engine listens at {SOCKET}, but you may not use it.\n"
            'Join its group with `sudo usermod -aG docker "$USER"` and log in again.'
        )
    if not debian.can_install():
        raise SetupError(
            "No Docker engine answers.\n"
            "Debian or Ubuntu: sudo apt-get install -y docker.io && sudo systemctl start docker\n"
            "Elsewhere: https://docs.docker.com/engine/install/\n"
            "Rootless or remote engine: export DOCKER_HOST=unix:///path/to/docker.sock"
        )


def _context() -> str | None:
    """Return the context chosen for Docker's command line, None for the default one."""
    settings = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    try:
        chosen = json.loads(settings.read_text()).get("currentContext")
    except (OSError, ValueError):
        chosen = None
    name = os.environ.get("DOCKER_CONTEXT") or chosen
    return None if name in (None, "", "default") else str(name)


def _start(bin_dir: Path, log: Log) -> None:
    pid = _running_pid()
    if pid:
        say(f"Waiting for the Docker engine that is running (pid {pid})")
        _wait(bin_dir, process=None, said=f"dockerd (pid {pid}) runs but does not answer.")
    elif Path("/run/systemd/system").exists():
        say("Starting the Docker engine with systemctl")
        log.run(["systemctl", "start", "docker"])
        _wait(bin_dir, process=None, said="See: journalctl -u docker")
    else:
        _start_by_hand(bin_dir, log)


def _running_pid() -> int | None:
    try:
        pid = int(PID_FILE.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" else None  # the number may be another's by now


def _mount_cgroups(log: Log) -> None:
    """Mount what an init system would have mounted; without it no container can be limited."""
    if " cgroup" in Path("/proc/mounts").read_text():
        return
    if not shutil.which("cgroupfs-mount"):
        debian.install("cgroupfs-mount", log=log)
    log.run(["cgroupfs-mount"])


def _start_by_hand(bin_dir: Path, log: Log) -> None:
    """Start dockerd so that it outlives this command and the next one starts at once."""
    _mount_cgroups(log)
    output = log.path.with_name("dockerd.log")
    with output.open("ab") as sink:
        start = sink.tell()
        process = subprocess.Popen(
            ["dockerd", "--log-level", "warn"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(bin_dir, process=process, said="")
    except SetupError as error:
        process.terminate()
        raise SetupError(
            f"dockerd does not come up here:\n{last_lines(output, start=start)}\n"
            f"The whole log: {output}"
        ) from error
    say(f"Docker engine started; it stays up (log {output}; stop it with: kill {process.pid})")


def _wait(bin_dir: Path, *, process: subprocess.Popen[bytes] | None, said: str) -> None:
    """Wait until the engine answers; `process` ending first is an answer too."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        if engine_answers(bin_dir):
            return
        time.sleep(1)
    raise SetupError(f"No Docker engine answered within {START_TIMEOUT_S:.0f} s. {said}".rstrip())
