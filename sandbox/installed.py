"""
Which languages a sandbox holds, asked of the sandbox itself: it may be one that we did not build.

In an image of ours a version says that all is there. Elsewhere somebody installed what is there for
other purposes, so a language counts only if a program in it builds and prints what it should.
"""

import asyncio
import json
import time
from collections.abc import Mapping

from sandbox.base import Limits, Program, SandboxError, SandboxUnavailable, Status
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

_C_FAMILY = '#include <stdio.h>\nint main(void) { puts("42"); return 0; }\n'
_CPP = "#include <bits/stdc++.h>\nint main() { std::cout << 42 << std::endl; }\n"

PRINTS_42: Mapping[str, str] = {
    "python": "print(42)",
    "c": _C_FAMILY,
    "cpp": _CPP,
    "cpp20": _CPP,
    "java": "class Main { public static void main(String[] a) { System.out.println(42); } }",
    "javascript": "console.log(42)",
    "typescript": "const answer: number = 42; console.log(answer)",
    "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println(42) }\n',
    "rust": 'fn main() { println!("42"); }',
    "bash": "echo 42",
    "ruby": "puts 42",
    "php": "<?php echo 42;",
    "perl": "print 42;",
    "lua": "print(42)",
    "sql": "select 42;",
}
"""The smallest program of each language that needs all of its tools."""


async def installed_languages(sandbox: PooledSandbox) -> Mapping[str, str]:
    """Version by name of every language that programs can be run in.

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
        raise SandboxUnavailable(f"the sandbox's languages could not be listed: {reason}")
    versions: dict[str, str] = json.loads(run.stdout)
    if sandbox.holds_our_image:
        return versions
    works = await asyncio.gather(*(_works(sandbox, name) for name in versions))
    return {name: versions[name] for name, good in zip(versions, works, strict=True) if good}


async def _works(sandbox: PooledSandbox, language: str) -> bool:
    program = Program(language, PRINTS_42[language])
    try:
        run = await sandbox.run(program, limits=_LIMITS, deadline=time.time() + 2 * _LIMITS.wall_s)
    except SandboxError:
        return False
    return run.status is Status.OK and run.stdout.strip() == b"42"
