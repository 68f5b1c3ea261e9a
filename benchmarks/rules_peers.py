"""
Other projects' format functions, run in an environment of their own; see rules.py.

Reads `[{"peer", "text"}]` from standard input, writes `[{"value", "seconds"}]`.
Standard library only: the packages are installed without their dependencies, so
single modules are loaded from their files.
"""

import importlib.util
import json
import re
import signal
import sys
import sysconfig
import time
import types
from collections.abc import Callable
from pathlib import Path

STOPPED_AFTER_S = 4

_OPEN_R1 = re.compile(
    r"^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$", re.DOTALL | re.MULTILINE
)
"""The pattern open-r1 publishes; the project is not on PyPI."""


def load(path: str) -> types.ModuleType:
    """A module from its file, below the environment's packages."""
    file = Path(sysconfig.get_paths()["purelib"]) / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is missing: pip install --no-deps trl verl")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peers() -> dict[str, Callable[[str], float]]:
    """Name to function of a completion."""
    grader = types.ModuleType("mathruler.grader")  # imported by geo3k for its accuracy, unused here
    grader.extract_boxed_content = grader.grade_answer = None  # type: ignore[attr-defined]
    sys.modules |= {"mathruler": types.ModuleType("mathruler"), "mathruler.grader": grader}
    trl = load("trl/rewards/format_rewards.py").think_format_reward
    verl = load("verl/utils/reward_score/geo3k.py").format_reward
    return {
        "TRL think_format_reward": lambda text: float(trl([[{"content": text}]])[0]),
        "verl geo3k format_reward": lambda text: float(verl(text)),
        "open-r1 format pattern": lambda text: float(_OPEN_R1.match(text) is not None),
    }


def timed(function: Callable[[str], float], text: str) -> dict[str, float | None]:
    """The value and how long it took; None where it was stopped."""
    began = time.perf_counter()
    signal.alarm(STOPPED_AFTER_S)
    try:
        value = function(text)
    except TimeoutError:
        value = None
    finally:
        signal.alarm(0)
    return {"value": value, "seconds": time.perf_counter() - began}


def _stop(_signal: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, _stop)
    functions = peers()
    asked = json.load(sys.stdin)
    json.dump([timed(functions[one["peer"]], one["text"]) for one in asked], sys.stdout)
