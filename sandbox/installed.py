"""
Which languages an image holds, asked of the image itself: it may be one that we did not build.
"""

import json
import time
from collections.abc import Mapping

from sandbox.base import Limits, Program, SandboxUnavailable, Status
from sandbox.languages import LANGUAGES
from sandbox.pooled import PooledSandbox

_LIMITS = Limits(cpu_s=60.0, wall_s=120.0, memory_mb=1024, processes=128)

_ASK = """
import json, re, subprocess, sys
found = {}
for name, command in json.loads(sys.stdin.read()).items():
    try:
        said = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        continue
    version = re.search(r"\\d+([.]\\d+)+", said.stdout + said.stderr)
    if said.returncode == 0 and version:
        found[name] = version.group()
print(json.dumps(found))
"""


async def installed_languages(sandbox: PooledSandbox) -> Mapping[str, str]:
    """Version by name of every language whose compiler or interpreter answers.

    Raises SandboxError if it cannot be found out.
    """
    question = {name: language.version for name, language in LANGUAGES.items()}
    run = await sandbox.run(
        Program("python", _ASK),
        json.dumps(question).encode(),
        _LIMITS,
        deadline=time.time() + _LIMITS.wall_s,
    )
    if run.status is not Status.OK:
        reason = (run.stdout + run.stderr)[-300:].decode("utf-8", "replace")
        raise SandboxUnavailable(f"the image's languages could not be listed: {reason}")
    versions: dict[str, str] = json.loads(run.stdout)
    return versions
