"""
Judges attacks and honest programs in local slots, for a test that needs another host around them.

    python -m tests.sandbox.judge_rows

Prints a line of JSON first with the isolation in force, then one for each row
whose language the host has.
"""

import asyncio
import json
import time

from sandbox import LocalSandbox, SandboxError, installed_languages
from tests.sandbox.sandbox_cases import read, read_attacks, submission_of


async def main() -> None:
    rows = [*read_attacks(), *read("honest.jsonl")]
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
