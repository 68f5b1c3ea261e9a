"""
A Redis server program for tests; each test session starts a private one.

Debian's `redis-server` package would start a system service. The same executable lies in
`redis-tools` as `redis-check-rdb` and looks at the name it is called by, so a link is enough.
"""

import shutil
from pathlib import Path

from provision import debian
from provision.console import Log, SetupError


def ensure_redis(links: Path, *, log: Log) -> None:
    """Have a program `redis-server` on PATH or in `links`; SetupError says how to get one."""
    if shutil.which("redis-server") or (links / "redis-server").exists():
        return
    if not shutil.which("redis-check-rdb") and debian.can_install():
        debian.install("redis-tools", log=log)
    twin = shutil.which("redis-check-rdb")
    if twin is None:
        raise SetupError(
            "No Redis server program.\n"
            "Debian or Ubuntu: sudo apt-get install -y redis-server\n"
            "Elsewhere: your system's package of Redis 7 or later"
        )
    links.mkdir(exist_ok=True)
    link = links / "redis-server"
    link.unlink(missing_ok=True)
    link.symlink_to(twin)
