"""
Judges attacks on resources in local slots, for a test that needs another host around them.

    python -m tests.sandbox.judge_rows

Prints a line of JSON first with the isolation in force, then one for each row
whose language the host has.
"""

import asyncio
import json
import time

from sandbox import LocalSandbox, SandboxError, installed_languages
from tests.sandbox.sandbox_cases import read_attacks, submission_of

CATEGORY = "resource_exhaustion"
"""Only limits differ between levels; the jail is the same."""


async def main() -> None:
    rows = [row for row in read_attacks() if row["category"] == CATEGORY]
    async with LocalSandbox(slots=2) as sandbox:
        print(json.dumps(sandbox.isolation()))
        languages = await installed_languages(sandbox)
        for row in rows:
            if row["language"] not in languages:
                continue
            try:
                judgement = await sandbox.judge(submission_of(row), deadline=time.time() + 120)
                found = judgement.verdict.value
            except SandboxError as error:
                found = f"{type(error).__name__}: {error}"
            print(json.dumps({"id": row["id"], "verdict": found}))


if __name__ == "__main__":
    asyncio.run(main())
