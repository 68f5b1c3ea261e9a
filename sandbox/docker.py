"""
The container engine, as far as the sandbox needs it. The only module that imports the Docker SDK.

The SDK blocks, so callers put each of these calls into a thread.
"""

import io
import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import LogConfig
from docker.utils import kwargs_from_env

from sandbox.base import SandboxUnavailable

LABEL = "rulegrade.sandbox"
"""Label of every container of ours; its value is the owner, a name the service chose."""

LIMITS = ("MemoryLimit", "PidsLimit", "CpuCfsQuota")
"""What an engine that enforces a container's limits says of itself."""

TIMEOUT_S = 60
LEFT_AFTER_S = 600
"""A container that has not started so long after its creation never will."""

PULL_TIMEOUT_S = 30
"""Silence after which a registry counts as out of reach."""


class EngineError(SandboxUnavailable):
    """The engine refused or failed; the message is the engine's."""


@dataclass(frozen=True, slots=True)
class ContainerOptions:
    """What differs between containers; how they are locked down does not."""

    image: str
    owner: str
    memory_mb: int
    cpus: float
    pids: int
    seccomp: str
    runtime: str | None = None
    apparmor: str | None = None


@contextmanager
def _answering() -> Iterator[None]:
    """EngineError for a refusal, and for an engine that is away."""
    try:
        yield
    except (DockerException, OSError) as error:
        reason = error.explanation if isinstance(error, APIError) else error
        raise EngineError(f"the container engine: {reason}") from error


class Engine:
    """A connection to the engine that `DOCKER_HOST` points to, else to the local socket.

    Containers go by names that the caller gives, so that one can be removed whose creation was
    not answered. What asks the engine raises EngineError.
    """

    def __init__(self) -> None:
        try:
            self._api = docker.APIClient(**_environment(), timeout=TIMEOUT_S, version="auto")
        except DockerException as error:
            raise SandboxUnavailable(
                "no container engine answers. Start Docker, or install it (on Debian: "
                "apt-get install docker.io), or point DOCKER_HOST at one; the user of this "
                f"process must be allowed to use it (group docker). Reason: {error}"
            ) from error
        # The SDK keeps connections for each address, and a container's are never asked for again.
        self._api.headers["Connection"] = "close"

    def check(self, options: ContainerOptions) -> None:
        """Raise SandboxUnavailable, naming what the engine lacks for `options`."""
        try:
            info = self._api.info()
        except (DockerException, OSError) as error:
            raise EngineError(f"the engine does not say what it can do: {error}") from error
        if options.runtime and options.runtime not in info["Runtimes"]:
            raise SandboxUnavailable(
                f"the engine has no runtime {options.runtime}, only "
                f"{', '.join(sorted(info['Runtimes']))}; register it in /etc/docker/daemon.json"
            )
        lacking = [name for name in LIMITS if not info.get(name)]
        if lacking:
            raise SandboxUnavailable(
                f"the engine cannot set {', '.join(lacking)}: it needs the cgroup controllers cpu, "
                "memory and pids; a rootless engine has them with cgroup version 2 only"
            )

    def has_image(self, tag: str) -> bool:
        """Whether the image is there already."""
        with _answering():
            try:
                self._api.inspect_image(tag)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
        return True

    def pull(self, tag: str) -> None:
        """Fetch an image from its registry, or raise EngineError."""
        repository, _, version = tag.partition(":")
        try:
            client = docker.APIClient(**_environment(), timeout=PULL_TIMEOUT_S, version="auto")
            for line in client.pull(repository, version or "latest", stream=True, decode=True):
                if "error" in line:
                    raise EngineError(line["error"])
        except (DockerException, OSError) as error:
            raise EngineError(str(error)) from error

    def import_image(self, archive: IO[bytes], tag: str) -> None:
        """Make an image of a tar archive of a root directory."""
        repository, _, version = tag.partition(":")
        try:
            self._api.import_image_from_stream(archive, repository=repository, tag=version)
        except DockerException as error:
            raise EngineError(str(error)) from error

    def build(
        self, context: Mapping[str, bytes], tag: str, *, args: Mapping[str, str]
    ) -> Iterator[str]:
        """Build an image of these files; yields what the build prints, raises EngineError."""
        lines = self._api.build(
            fileobj=_tar(context),
            custom_context=True,
            tag=tag,
            buildargs=dict(args),
            rm=True,
            forcerm=True,
            decode=True,
            timeout=1800,
        )
        for line in lines:
            if "error" in line:
                raise EngineError(line["error"].strip())
            if text := line.get("stream", "").strip():
                yield text

    def remove_image(self, tag: str) -> None:
        """Remove an image that nothing uses; no error if there is none."""
        with suppress(ImageNotFound):
            self._api.remove_image(tag)

    def remove_leftovers(self, owner: str) -> None:
        """Remove what killed services left: all of the same owner, and anybody's if long dead."""
        with _answering():
            found = self._api.containers(all=True, filters={"label": LABEL})
        for container in found:
            is_ours = container["Labels"][LABEL] == owner
            is_dead = container["State"] in ("created", "exited", "dead")
            if is_ours or (is_dead and container["Created"] < time.time() - LEFT_AFTER_S):
                self.remove(container["Id"])

    def create(self, name: str, options: ContainerOptions) -> None:
        """Create a locked-down container."""
        with _answering():
            try:
                self._api.create_container(
                    options.image,
                    name=name,
                    user="10000:10000",
                    stdin_open=True,
                    hostname="box",
                    network_disabled=True,
                    labels={LABEL: options.owner},
                    host_config=self._host_config(options),
                )
            except ImageNotFound as error:
                raise SandboxUnavailable(
                    f"the image {options.image} is missing; `rulegrade sandbox build` makes it"
                ) from error

    def _host_config(self, options: ContainerOptions) -> dict[str, Any]:
        config: dict[str, Any] = self._api.create_host_config(
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            init=False,
            auto_remove=True,
            cap_drop=["ALL"],
            security_opt=[
                "no-new-privileges",
                f"seccomp={options.seccomp}",
                *([f"apparmor={options.apparmor}"] if options.apparmor else []),
            ],
            mem_limit=options.memory_mb << 20,
            memswap_limit=options.memory_mb << 20,
            nano_cpus=int(options.cpus * 1e9),
            pids_limit=options.pids,
            log_config=LogConfig(type="none"),
            runtime=options.runtime,
        )
        # The kernel lets a jail mount its own /proc only where nothing of the outer one is masked.
        # The agent, who sees the unmasked one, is an unprivileged user; runs do not see it.
        config["MaskedPaths"] = []
        config["ReadonlyPaths"] = []
        # When the service dies its connection closes, then stdin, then the agent ends.
        return config

    def attach(self, name: str) -> socket.socket:
        """A socket to the standard streams of a container that was not yet started."""
        with _answering():
            raw: Any = self._api.attach_socket(
                name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
        # The SDK's objects close their socket when they are collected: keep a copy of our own.
        theirs: socket.socket = raw._sock
        connection = theirs.dup()
        raw._response.close()
        theirs.close()
        return connection

    def start(self, name: str) -> None:
        """Start a container."""
        with _answering():
            self._api.start(name)

    def remove(self, name: str) -> None:
        """Kill and remove; no error if it is gone or going."""
        with _answering():
            try:
                self._api.remove_container(name, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # its removal is under way
                    raise

    def close(self) -> None:
        """Drop the connections."""
        self._api.close()


def holds_image(tag: str) -> bool:
    """Whether an engine answers that has this image."""
    try:
        with closing(Engine()) as engine:
            return engine.has_image(tag)
    except (SandboxUnavailable, DockerException):
        return False


def _environment() -> dict[str, Any]:
    return dict(kwargs_from_env())


def _tar(files: Mapping[str, bytes]) -> IO[bytes]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive


Progress = Callable[[str], None]
"""Shown to a person: one line at a time."""
