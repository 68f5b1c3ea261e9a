"""
A container engine of the suite's own, so that its end is nobody else's.

It shares the kernel with the machine's engine and nothing more: no bridge, no firewall rule, a
containerd namespace of its own. Its image is ours without what makes most of its size: Java, the
headers that are parsed beforehand, package lists. The programs of the load are Python.
"""

import io
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import docker

from sandbox.docker import LABEL
from sandbox.images.build import image_tag

IMAGE = "rulegrade/faults:python"
NAMESPACE = "rulegrade-faults"
START_S = 60.0
LEFT_OUT = re.compile(r"(var|usr/lib/jvm|usr/share|usr/local/lib)/|.*[.]gch/")


class NoEngine(Exception):
    """This machine cannot have an engine beside its own; the message says why."""


class PrivateEngine:
    """An engine that may be killed; whoever kills it starts it again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory}/sock"
        self._client: Any = None
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """The daemon, on the same data as before. Raises NoEngine."""
        there = self._directory
        options = {
            "data-root": there / "data",
            "exec-root": there / "exec",
            "pidfile": there / "pid",
            "host": self.url,
            "bridge": "none",
            "containerd-namespace": NAMESPACE,
            "containerd-plugins-namespace": f"{NAMESPACE}-plugins",
            "log-level": "error",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        flags += ["--iptables=false", "--ip6tables=false", "--ip-masq=false"]
        (there / "pid").unlink(missing_ok=True)  # the next one may have the dead one's number
        with (there / "log").open("ab") as log:
            # In a network of its own: one without a bridge takes down the machine's.
            command = ["unshare", "--net", "dockerd", *flags]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise NoEngine("dockerd: " + (there / "log").read_text()[-500:])
            time.sleep(0.1)
        return process

    def end(self, number: int) -> None:
        """End the daemon by a signal; SIGKILL leaves its containers running."""
        file = self._directory / "exec/containerd/containerd.pid"
        child = Path("/proc", file.read_text()) if file.exists() else None
        self.process.send_signal(number)
        self.process.wait(timeout=START_S)
        while child is not None and child.exists():  # the next daemon would wait for it
            time.sleep(0.05)

    def containers(self) -> list[str]:
        """Ids of the sandbox's containers, whatever their state."""
        found: Any = self.client.api.containers(all=True, filters={"label": LABEL})
        return [container["Id"] for container in found]

    def kill_a_container(self) -> bool:
        """Kill one of those at random; False if there was none."""
        if not (found := self.containers()):
            return False
        with suppress(docker.errors.APIError):  # it has just been replaced
            self.client.api.kill(random.choice(found))
        return True

    @property
    def client(self) -> Any:
        """The SDK's client, connected to this engine."""
        if self._client is None:
            self._client = docker.DockerClient(base_url=self.url, version="auto")
        return self._client

    def copy_image(self) -> None:
        """Take over the machine's image, but for what only compilers need."""
        with (
            tempfile.NamedTemporaryFile(dir=self._directory) as archive,
            closing(docker.from_env()) as theirs,
        ):
            config = theirs.images.get(image_tag()).attrs["Config"]
            container = theirs.containers.create(image_tag())
            try:
                _copy(container.export(chunk_size=1 << 20), archive)
            finally:
                container.remove()
            archive.flush()
            entry = str(config["Entrypoint"]).replace("'", '"')
            changes = [f"ENTRYPOINT {entry}", *(f"ENV {pair}" for pair in config["Env"])]
            name, _, tag = IMAGE.partition(":")
            self.client.api.import_image_from_file(
                archive.name, repository=name, tag=tag, changes=changes
            )

    def close(self) -> None:
        """End it with all that is on it, and leave no mount behind."""
        if self.process.poll() is None:
            for container in self.containers():
                with suppress(docker.errors.APIError):
                    self.client.api.remove_container(container, force=True)
            self.end(signal.SIGTERM)
        if self._client is not None:
            self._client.close()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self._directory}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (docker.errors.DockerException, OSError):
            return False


@contextmanager
def private_engine() -> Iterator[PrivateEngine]:
    """An engine that holds the image and ends with the block. Raises NoEngine."""
    if os.geteuid() != 0 or not (shutil.which("dockerd") and shutil.which("unshare")):
        raise NoEngine("an engine of one's own takes root and the program dockerd")
    with closing(PrivateEngine(Path(tempfile.mkdtemp(prefix="rulegrade-engine-")))) as engine:
        try:
            engine.copy_image()
        except (docker.errors.DockerException, OSError) as error:
            raise NoEngine(f"the machine's engine gives no image: {error}") from error
        yield engine


def _copy(chunks: Any, to: Any) -> None:
    with (
        tarfile.open(fileobj=_Joined(chunks), mode="r|") as whole,
        tarfile.open(fileobj=to, mode="w") as part,
    ):
        for member in whole:
            if not LEFT_OUT.match(member.name):
                part.addfile(member, whole.extractfile(member) if member.isreg() else None)


class _Joined(io.RawIOBase):
    """Pieces as one stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while 0 <= len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
