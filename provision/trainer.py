"""
What the GRPO trainer needs beside the locked packages: torch, and what draws and logs its curves.

Outside the lock, because torch is hundreds of megabytes that the service never imports. The CPU
build is asked for by its local version: the default one brings gigabytes of GPU libraries.
"""

import json
import subprocess
from pathlib import Path

from provision.console import Log, SetupError, say
from provision.environment import pip_command

PACKAGES = {
    "torch": "2.13.0+cpu",
    "tensorboard": "2.21.0",
    "matplotlib": "3.11.2",
    "transformers": "5.23.0",
}
_LIST = f"""
import importlib.util, json
print(json.dumps([name for name in {[*PACKAGES]} if importlib.util.find_spec(name) is None]))
"""


def ensure_trainer(bin_dir: Path, *, log: Log) -> None:
    """Install what is missing of PACKAGES; a torch that is there, of any build, is kept.

    SetupError says how to get torch where no CPU build is offered.
    """
    missing = _missing(bin_dir)
    if not missing:
        return
    wanted = [f"{name}=={PACKAGES[name]}" for name in missing]
    say(f"Installing {', '.join(wanted)} (about a minute; details in {log.path})")
    pip = pip_command(bin_dir.parent, log)
    try:
        log.run([*pip, "install", "--only-binary", ":all:", *wanted])
    except SetupError as error:
        raise SetupError(
            f"{error}\nThe trainer needs torch {PACKAGES['torch'].partition('+')[0]} or later. Its "
            "installation page lists the CPU builds for pip:\n"
            f"    {bin_dir / 'python'} -m pip install torch --index-url <the CPU index>"
        ) from error


def _missing(bin_dir: Path) -> list[str]:
    told = subprocess.run(
        [bin_dir / "python", "-I", "-c", _LIST], capture_output=True, text=True, check=True
    )
    names: list[str] = json.loads(told.stdout)
    return names
