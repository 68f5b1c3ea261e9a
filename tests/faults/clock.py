"""The wall clock of some processes, which may jump; their monotonic clock goes on as it was."""

from pathlib import Path

LIBRARIES = "lib/*/faketime/libfaketimeMT.so.1"


class NoClock(Exception):
    """This machine cannot have a clock that jumps; the message says why."""


class Clock:
    """A clock for processes that are started with `env`. Raises NoClock.

    It is read from a file at every look, so a process that runs sees the jump.
    """

    def __init__(self, file: Path) -> None:
        library = next(Path("/usr").glob(LIBRARIES), None)
        if library is None:
            raise NoClock("no libfaketime (Debian: apt-get install faketime)")
        self._file = file
        self.set(0)
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead_s: int) -> None:
        """Let it be so many seconds ahead of the machine's, or behind."""
        following = self._file.with_suffix(".next")
        following.write_text(f"{ahead_s:+d}")
        following.rename(self._file)
