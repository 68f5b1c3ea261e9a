"""
The root directory of a slot on a host without a container engine: what the image holds elsewhere.

The agent is copied and its two C files are compiled, once, into a directory of the user's cache
that is named by a hash of everything in it; what the host changes (its libraries, its alternatives)
makes another directory. Nothing else of the host gets in: a slot adds /usr, read-only, and no more.
"""

import compileall
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from sandbox.base import SandboxUnavailable
from sandbox.seccomp import allowed_calls

PYTHON = "/usr/bin/python3"
"""What programs in Python, and the agent, run with: the host's own, whatever runs the service."""

OLDEST_PYTHON = (3, 11)
USER = "box:x:10000:10000::/box:/bin/sh\n"
GROUP = "box:x:10000:\n"
DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = ("bin", "lib", "lib64", "sbin")
CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")


def host_root() -> Path:
    """Directory with a slot's root, made if need be. Blocks for seconds the first time.

    Raises SandboxUnavailable, saying what the host lacks.
    """
    _check_python()
    etc, links = _etc(), _links()
    name = f"slot-{_digest(etc, links)}"
    place = _cache() / name
    try:
        if not place.is_dir():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(place, etc, links)
    except OSError as error:
        raise SandboxUnavailable(
            f"a slot's root cannot be made in {place.parent} ({error}): set XDG_CACHE_HOME to a "
            "directory that can be written to"
        ) from error
    return place


def keeper_of(root: Path) -> Path:
    """The program that starts a slot in `root`."""
    return root / "opt/rulegrade/box"


def _make(place: Path, etc: dict[str, bytes], links: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="making-", dir=place.parent) as folder:
        made = Path(folder, place.name)
        _lay_out(made, etc, links)
        try:
            made.rename(place)
        except OSError:  # somebody else was faster
            if not place.is_dir():
                raise


def _check_python() -> None:
    say = "import sys; print(*sys.version_info[:2])"
    try:
        said = subprocess.run([PYTHON, "-I", "-c", say], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxUnavailable(
            f"programs run with the host's {PYTHON}, which does not work ({error}). "
            "On Debian or Ubuntu: apt-get install python3"
        ) from error
    if tuple(map(int, said.stdout.split())) < OLDEST_PYTHON:
        raise SandboxUnavailable(f"{PYTHON} is older than 3.11, the oldest that programs run with")


def _links() -> dict[str, str]:
    """Links of / into /usr; SandboxUnavailable where the two are apart."""
    found = {name: Path("/", name) for name in LINKS if Path("/", name).exists()}
    apart = [str(path) for path in found.values() if not path.is_symlink()]
    if apart:
        raise SandboxUnavailable(f"{', '.join(apart)}: no link into /usr on this host")
    return {name: os.readlink(path).lstrip("/") for name, path in found.items()}


def _etc() -> dict[str, bytes]:
    """Files of /etc that programs need, by name; a link is its target behind `->`."""
    kept = {"passwd": USER.encode(), "group": GROUP.encode(), "hosts": b"127.0.0.1 localhost box\n"}
    paths = [Path("/etc", name) for name in ("ld.so.cache", "nsswitch.conf")]
    for folder in (Path("/etc/alternatives"), *sorted(Path("/etc").glob("java-*-openjdk"))):
        paths += sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink():
            kept[str(path.relative_to("/etc"))] = b"->" + os.readlink(path).encode()
        elif path.is_file() and os.access(path, os.R_OK):
            kept[str(path.relative_to("/etc"))] = path.read_bytes()
    return kept


def _sources() -> dict[str, bytes]:
    package = resources.files("sandbox")
    agent = {f.name: f.read_bytes() for f in (package / "agent").iterdir() if f.is_file()}
    calls = "".join(f"#ifdef SYS_{name}\nSYS_{name},\n#endif\n" for name in allowed_calls())
    box = (package / "host" / "box.c").read_bytes()
    return agent | {"box.c": box, "allowed.h": calls.encode()}


def _digest(etc: dict[str, bytes], links: dict[str, str]) -> str:
    digest = hashlib.sha256(repr((os.uname().machine, links, Path(__file__).read_bytes())).encode())
    for name, content in sorted({**etc, **_sources()}.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _cache() -> Path:
    chosen = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(chosen or Path.home() / ".cache", "rulegrade")
    except RuntimeError as error:
        raise SandboxUnavailable("no home directory: set XDG_CACHE_HOME to a directory") from error


def _lay_out(root: Path, etc: dict[str, bytes], links: dict[str, str]) -> None:
    ours = root / "opt/rulegrade"
    jail = ours / "root"
    for folder in ("usr", "proc", "dev", *(f"sys/fs/cgroup/{name}" for name in CONTROLLERS)):
        (root / folder).mkdir(parents=True)
    for folder in ("box", "dev", "etc", "proc", "tmp", "usr"):
        (jail / folder).mkdir(parents=True)
    for top in (root, jail):
        for name, target in links.items():
            (top / name).symlink_to(target)
        for device in DEVICES:
            (top / "dev" / device).touch()
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (jail / "dev" / name).symlink_to(f"/proc/self/{target}")
    (jail / "dev/shm").symlink_to("/tmp")  # noqa: S108 - the jail's
    _write_etc(jail / "etc", etc)
    (root / "etc").symlink_to("opt/rulegrade/root/etc")
    _add_agent(ours)
    for path in (root, *root.rglob("*")):  # whatever umask the service has
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _write_etc(place: Path, etc: dict[str, bytes]) -> None:
    for name, content in etc.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith(b"->"):
            path.symlink_to(content[2:].decode())
        else:
            path.write_bytes(content)


def _add_agent(ours: Path) -> None:
    package = ours / "sandbox"
    (package / "agent").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, content in _sources().items():
        place = package / "agent" if name.endswith(".py") else ours
        (place / name).write_bytes(content)
    _compile("-DDENY_MEMFD", "-shared", "-fPIC", "-o", ours / "jail.so", ours / "jail.c")
    _compile("-o", ours / "box", ours / "box.c")
    compileall.compile_dir(package, quiet=1)


def _compile(*arguments: str | Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SandboxUnavailable(
            "no C compiler, which makes the jail. On Debian or Ubuntu: "
            "apt-get install gcc libc6-dev"
        )
    done = subprocess.run(
        [compiler, "-O2", "-Wall", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SandboxUnavailable(
            "the jail cannot be compiled here; on Debian or Ubuntu libc6-dev may be missing: "
            f"{done.stderr[-1000:]}"
        )
