"""
Judges rows of tests/data in local slots, for tests that need a host unlike this one around it.

    python -m tests.sandbox.judge_rows FILE.jsonl ...

Prints a line of JSON first with the isolation in force, then one for each row.
"""

import asyncio
import json
import sys
import time

from sandbox import LocalSandbox, SandboxError
from tests.sandbox.sandbox_cases import read, submission_of


async def main(files: list[str]) -> None:
    rows = [row for file in files for row in read(file)]
    async with LocalSandbox(slots=2) as sandbox:
        print(json.dumps(sandbox.isolation()))
        for row in rows:
            try:
                judgement = await sandbox.judge(submission_of(row), deadline=time.time() + 120)
                found = judgement.verdict.value
            except SandboxError as error:
                found = f"{type(error).__name__}: {error}"
            print(json.dumps({"id": row["id"], "verdict": found}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
