"""
The example script trains one step on a model that is made here: URL is in the environment.

Prints the names of the reward curves in its log.
"""

import contextlib
import io
import json
import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

from trl_steps import tiny_model

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/trl_grpo.py"


def main() -> list[str]:
    """Run the example as a program."""
    place = tempfile.mkdtemp()
    for part in tiny_model():
        part.save_pretrained(place)
    sys.argv = [str(EXAMPLE), "--model", place, "--steps", "1", "--length", "8", "--cpu"]
    os.chdir(place)  # where it leaves its checkpoint
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    return re.findall(r"rewards/\w+/mean", log.getvalue())


if __name__ == "__main__":
    print("RESULT " + json.dumps(main()))
