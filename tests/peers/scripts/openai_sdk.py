"""The official openai package runs and validates graders; only `base_url` is ours: URL."""

import json
import sys
from typing import Any

from openai import OpenAI

CHECK = {
    "type": "string_check",
    "name": "equal",
    "operation": "ilike",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}
PYTHON = {
    "type": "python",
    "name": "length",
    "source": "def grade(sample, item):\n    return len(sample['output_text']) / 10",
}


def main(url: str) -> dict[str, Any]:
    """Two graders, and one that is validated."""
    graders = OpenAI(base_url=f"{url}/v1", api_key="none").fine_tuning.alpha.graders
    item = {"answer": "paris"}
    ran = [graders.run(grader=one, model_sample="Paris", item=item) for one in (CHECK, PYTHON)]
    return {
        "rewards": [run.reward for run in ran],
        "failed": [run.metadata.errors.other_error for run in ran],
        "validated": graders.validate(grader=CHECK).grader.name,
    }


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(sys.argv[1])))
