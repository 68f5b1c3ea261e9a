"""Installs Debian packages where we may: as root, on Debian or a descendant of it."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from provision.console import Log, SetupError, say

TRIES = 3
PAUSE_S = 10.0  # the package lists' lock has no waiting option; another apt-get rarely takes longer


def can_install() -> bool:
    """Whether `install` may be called on this machine."""
    return (
        os.geteuid() == 0
        and shutil.which("apt-get") is not None
        and Path("/etc/debian_version").exists()
    )


def ensure_program(name: str, *, log: Log) -> None:
    """Have `name`, whose package is called the same, on PATH; SetupError says how to get it."""
    if shutil.which(name):
        return
    if not can_install():
        raise SetupError(f"No program {name}. Debian or Ubuntu: sudo apt-get install -y {name}")
    install(name, log=log)


def install(*packages: str, log: Log) -> None:
    """Install `packages` without what they recommend. SetupError after three tries."""
    say(f"Installing from Debian: {' '.join(packages)}")
    for attempt in range(1, TRIES + 1):
        try:
            _install(packages, log)
        except SetupError:
            if attempt == TRIES:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _install(packages: Sequence[str], log: Log) -> None:
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    log.run(["apt-get", "update", "-q"], env=env)
    log.run(
        [
            *("apt-get", "install", "-qy", "--no-install-recommends"),
            *("-o", "DPkg::Lock::Timeout=300", *packages),
        ],
        env=env,
    )
