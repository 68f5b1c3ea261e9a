"""
What set-up shows and what it writes down: short lines on the terminal, everything else in a log.

A step that fails quotes the end of its own output, because a newcomer reads the terminal only.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

QUOTED_LINES = 15


class SetupError(Exception):
    """Set-up cannot go on. The message says what is missing and the command that gets it."""


def say(text: str) -> None:
    """Print one line at once; a step that takes minutes must not look like a hang."""
    print(f"==> {text}", flush=True)


def last_lines(path: Path, *, start: int = 0) -> str:
    """Return the last lines of `path` after byte `start`, indented for quoting."""
    text = path.read_bytes()[start:].decode(errors="replace")
    return "\n".join(f"    {line}" for line in text.splitlines()[-QUOTED_LINES:])


@dataclass(frozen=True, slots=True)
class Log:
    """The file that keeps the full output of every step."""

    path: Path

    def run(self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        """Run `command` with its output in the log. SetupError quotes the end of what it wrote."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as log:
            log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            start = log.tell()
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )
        if ended.returncode:
            quoted = last_lines(self.path, start=start)
            raise SetupError(
                f"`{' '.join(map(str, command))}` failed (status {ended.returncode}):\n"
                f"{quoted}\nThe whole log: {self.path}"
            )
