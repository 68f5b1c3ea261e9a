"""
Builds the sandbox image with the engine that answers, with or without an image registry.

The tag is a hash of all that goes into the image, so an image that is there is up to date.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import resources

from sandbox.base import SandboxUnavailable
from sandbox.docker import Engine, EngineError, Progress
from sandbox.languages import Flavour, packages

BASE = "debian:bookworm-slim"
RELEASE = "bookworm"
DOWNLOAD_MB: dict[Flavour, int] = {"core": 240, "full": 440}


def context() -> dict[str, bytes]:
    """Every file that goes into the image, by its name in the build."""
    package = resources.files("sandbox")
    agent = package / "agent"
    names = sorted(f.name for f in agent.iterdir() if f.name.endswith((".py", ".c", ".h")))
    files = {f"agent/{name}": (agent / name).read_bytes() for name in names}
    for name in ("CompileJava.java", "Dockerfile"):
        files[name] = (package / "images" / name).read_bytes()
    return files


def image_tag(flavour: Flavour = "core") -> str:
    """The image that fits this version of the sandbox."""
    digest = hashlib.sha256()
    content = context() | {name: text.encode() for name, text in _packages(flavour).items()}
    for name, data in sorted(content.items()):
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return f"rulegrade/sandbox-{flavour}:{digest.hexdigest()[:12]}"


def _packages(flavour: Flavour) -> dict[str, str]:
    arguments = {"CORE_PACKAGES": " ".join(packages("core"))}
    return arguments | ({"MORE_PACKAGES": " ".join(packages("full"))} if flavour == "full" else {})


def build_image(progress: Progress = print, flavour: Flavour = "core") -> str:
    """Make sure that the image is there and return its tag. The first time takes minutes.

    Raises SandboxUnavailable with what to do about it.
    """
    engine = Engine()
    tag = image_tag(flavour)
    try:
        if engine.has_image(tag):
            progress(f"{tag} is up to date")
            return tag
        _provide_base(engine, progress)
        progress(f"building {tag}: compilers and libraries, about {DOWNLOAD_MB[flavour]} MB")
        arguments = {"BASE": BASE, "APT_SOURCES": "\n".join(_apt_lines())}
        arguments |= _packages(flavour) | _proxies()
        for line in engine.build(context(), tag, args=arguments):
            progress(line)
    finally:
        engine.close()
    progress(f"built {tag}")
    return tag


def _provide_base(engine: Engine, progress: Progress) -> None:
    if engine.has_image(BASE):
        return
    progress(f"fetching {BASE}")
    try:
        engine.pull(BASE)
    except EngineError as error:
        progress(f"no registry gave {BASE} ({error}); making it with debootstrap")
        _bootstrap(engine, progress)


def _bootstrap(engine: Engine, progress: Progress) -> None:
    """Make the base from Debian's package archive."""
    _require_debootstrap(progress)
    mirrors = [uri for uri, suite in _apt_repositories() if suite == RELEASE]
    mirrors += [uri for uri, _ in _apt_repositories() if uri.rstrip("/").endswith("/debian")]
    with tempfile.TemporaryDirectory(prefix="rulegrade-base-") as folder:
        command = ["debootstrap", "--variant=minbase", RELEASE, folder, *mirrors[:1]]
        for line in _output(command):
            progress(line)
        archive = subprocess.Popen(
            ["tar", "-C", folder, "--one-file-system", "-c", "."], stdout=subprocess.PIPE
        )
        with archive:
            if archive.stdout is None:
                raise AssertionError("a pipe was asked for")
            progress(f"importing {BASE}")
            engine.import_image(archive.stdout, BASE)


def _require_debootstrap(progress: Progress) -> None:
    if os.geteuid() != 0:
        raise SandboxUnavailable(
            f"no registry gave {BASE}, and making it needs root: run `rulegrade sandbox build` "
            f"as root once, or load the image from elsewhere (`docker load`) as {BASE}"
        )
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise SandboxUnavailable(
            f"no registry gave {BASE}, and making it needs the program debootstrap: install it"
        )
    progress("installing debootstrap")
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"],
    ):
        for line in _output(command):
            progress(line)


def _output(command: list[str]) -> Iterator[str]:
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
    ) as process:
        last = ""
        for line in process.stdout or ():
            last = line.rstrip()
            yield last
    if process.returncode:
        raise SandboxUnavailable(f"`{' '.join(command)}` failed: {last}")


def _apt_repositories() -> list[tuple[str, str]]:
    """Address and suite of the Debian archives this machine is set up to use, in its order."""
    if not shutil.which("apt-get"):
        return []
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(LABEL)"],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = (line.split("|") for line in listed.stdout.splitlines() if line.count("|") == 3)
    found = [(uri, suite) for uri, suite, component, _ in rows if component == "main"]
    return [pair for pair in dict.fromkeys(found) if pair[0].startswith("http://")]


def _apt_lines() -> list[str]:
    """One-line sources for the image; none if this machine knows no archive of its release."""
    pattern = re.compile(rf"{RELEASE}(-updates|-security)?")
    pairs = [(uri, suite) for uri, suite in _apt_repositories() if pattern.fullmatch(suite)]
    if not any(suite == RELEASE for _, suite in pairs):
        return []
    return [f"deb {uri} {suite} main" for uri, suite in pairs if "debian" in uri]


def _proxies() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in names if os.environ.get(name)}
