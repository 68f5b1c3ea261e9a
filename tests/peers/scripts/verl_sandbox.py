"""
verl scores programs with its own SandboxFusion client, pointed at the service.

    verl_sandbox.py URL

Prints the scores of a right, a wrong and a function program, and those of 128 right ones at once.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verl.utils.reward_score import default_compute_score

RIGHT = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
WRONG = "```python\nprint(3)\n```"
FUNCTION = "```python\ndef add(a, b):\n    return a + b\n```"
TESTS = {"inputs": ["1 2\n", "20 22\n"], "outputs": ["3\n", "42\n"]}
CALLS = {"inputs": ["1\n2", "20\n22"], "outputs": ["3", "42"], "fn_name": "add"}


def main(url: str) -> dict[str, Any]:
    """Score through verl's public function."""

    def score(text: str, tests: dict[str, Any] = TESTS) -> float:
        truth = json.dumps(tests)
        options = {"sandbox_fusion_url": f"{url}/run_code", "memory_limit_mb": 512}
        return float(default_compute_score("codecontests", text, truth, **options))

    def numbered(number: int) -> float:
        tests = {"inputs": [f"{number} 1\n"], "outputs": [f"{number + 1}\n"]}
        return score(RIGHT, tests)

    alone = [score(RIGHT), score(WRONG), score(FUNCTION, CALLS)]
    with ThreadPoolExecutor(128) as threads:
        crowd = list(threads.map(numbered, range(128)))
    return {"alone": alone, "crowd": crowd}


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(sys.argv[1])))
