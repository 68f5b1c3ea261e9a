"""
What this machine needs to run programs without a container engine.

The sandbox compiles its jail with the machine's C compiler, and programs have the languages that
the machine has: on Debian as root those of the example are installed where they are missing.
"""

import shutil
import subprocess
from pathlib import Path

from provision import debian
from provision.console import Log, SetupError, say

PYTHON = Path("/usr/bin/python3")


def ensure_host_can_run_programs(*, log: Log) -> None:
    """Have a C compiler, and as root the example's languages; SetupError says what is missing."""
    missing = list(_missing())
    if not missing:
        return
    if debian.can_install():
        debian.install(*missing, log=log)
    elif "gcc" in missing or "python3" in missing:
        raise SetupError(
            "No container engine answers, and without one programs need a C compiler and "
            f"{PYTHON}.\nDebian or Ubuntu: sudo apt-get install -y {' '.join(missing)}"
        )
    else:
        say(f"Some rows will tell of a missing language; sudo apt-get install {' '.join(missing)}")


def _missing() -> list[str]:
    packages = []
    if not PYTHON.exists():
        packages.append("python3")
    if not shutil.which("cc") or not Path("/usr/include/stdio.h").exists():
        packages += ["gcc", "libc6-dev"]
    if not shutil.which("g++"):
        packages.append("g++")
    if not _has_numpy():
        packages.append("python3-numpy")
    return packages


def _has_numpy() -> bool:
    command = [str(PYTHON), "-I", "-c", "import numpy"]
    return PYTHON.exists() and subprocess.run(command, capture_output=True).returncode == 0
