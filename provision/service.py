"""Runs the service beside a client that sends the example batch, and stops it cleanly."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from provision.console import SetupError, last_lines, say

HOST = "127.0.0.1"
LOG = Path("run/service.log")
READY_TIMEOUT_S = 90.0  # 4 s on a quiet machine; the containers of a busy one take longest
STOP_TIMEOUT_S = 40.0  # the service itself drains for up to 30 s


def refuse_busy_port(port: int) -> None:
    """Raise SetupError when `port` is taken, before minutes go into set-up."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SetupError(
                f"Port {port} on {HOST} cannot be used: {error.strerror}.\n"
                f"Choose another one: python3 dev.py run --port {port + 1}"
            ) from error


def serve_example(root: Path, bin_dir: Path, *, port: int, once: bool) -> int:
    """Serve, send the example batch, print its table; without `once` serve until Ctrl-C.

    Returns 0 when every verdict was the expected one.
    """
    with running_service(root, bin_dir, port=port) as (process, url):
        sender = [str(bin_dir / "python"), "examples/run_batch.py", "--url", url]
        status = subprocess.run(sender, cwd=root).returncode
        if not once:
            say(f"Serving on {url}; its API is described at {url}/docs. Ctrl-C stops it.")
            _serve_until_interrupted(process, root / LOG)
    return status


@contextmanager
def running_service(
    root: Path, bin_dir: Path, *, port: int, settings: Sequence[str] = ()
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the service while the block runs; yields its process and URL once it is ready.

    `settings` are flags of `rulegrade serve`.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stop from outside is a Ctrl-C
    output = root / LOG
    url = f"http://{HOST}:{port}"
    say(f"Starting the service on {url} (log {output})")
    process = _start(bin_dir, output, ["--port", str(port), *settings])
    try:
        _wait_until_ready(process, url, output)
        yield process, url
    finally:
        _stop(process)


def _start(bin_dir: Path, output: Path, flags: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start with default settings but for `flags`, so that runs are the same on every machine."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RULEGRADE_")}
    with output.open("wb") as sink:
        return subprocess.Popen(
            [bin_dir / "rulegrade", "serve", "--host", HOST, *flags],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=env,
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, output: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_TIMEOUT_S
    said = ""
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(f"{url}/readyz", timeout=5):
                return
        except urllib.error.HTTPError as error:  # it listens, and a part is not up yet
            said = error.read(2000).decode(errors="replace")
        except OSError:
            pass
        time.sleep(0.2)
    raise SetupError(
        f"The service did not become ready. {said}\n{last_lines(output)}\nThe whole log: {output}"
    )


def _serve_until_interrupted(process: "subprocess.Popen[bytes]", output: Path) -> None:
    try:
        process.wait()
    except KeyboardInterrupt:
        say("Stopping")
    else:
        raise SetupError(
            f"The service ended by itself:\n{last_lines(output)}\nThe whole log: {output}"
        )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        say(f"The service had ended before its time, with status {process.returncode}")
        return
    process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        say(f"The service did not stop within {STOP_TIMEOUT_S:.0f} s; killed")
        process.kill()
        process.wait()
