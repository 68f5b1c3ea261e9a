"""
The example script trains one step on a model that is made here: URL is in the environment.

Prints the names of the reward curves that it logged.
"""

import json
import runpy
import sys
import tempfile
from pathlib import Path
from unittest import mock

from trl import GRPOTrainer
from trl_steps import tiny_model

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/trl_grpo.py"


def main() -> list[str]:
    """Run the example as a program."""
    place = tempfile.mkdtemp()
    for part in tiny_model():
        part.save_pretrained(place)
    logged: list[str] = []

    def log(_: GRPOTrainer, entry: dict[str, float], *__: object) -> None:
        logged.extend(name for name in entry if name.startswith("rewards/"))

    arguments = ["--model", place, "--steps", "1", "--length", "8", "--cpu"]
    with (
        mock.patch.object(sys, "argv", [str(EXAMPLE), *arguments]),
        mock.patch.object(GRPOTrainer, "log", log),
    ):
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    return logged


if __name__ == "__main__":
    print("RESULT " + json.dumps(main()))
