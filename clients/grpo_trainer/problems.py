"""What a policy is asked, and the order in which a run asks it."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATE = (
    "A conversation between User and Assistant. The User asks a question and the Assistant solves "
    "it. The Assistant first thinks about the reasoning process and then gives the answer. The "
    "reasoning process stands between <think> and </think>, the answer between <answer> and "
    "</answer>.\nUser: {question}\nAssistant:"
)
"""A plain-text template after R1-Zero's: structure only, nothing about how to think."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One prompt with its task as the service takes it: ground truth, verifiers, tests."""

    id: str
    prompt: str
    task: Mapping[str, Any]

    @property
    def judge(self) -> str:
        """The verifier that decides whether an answer is right: the first of the task."""
        name: str = self.task["verifiers"][0]["name"]
        return name


def read_problems(file: Path, *, template: str = "{question}") -> list[Problem]:
    """Read lines of {"id", "prompt", "task"}; `template` is put around every prompt."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    return [
        Problem(row["id"], template.replace("{question}", row["prompt"]), row["task"])
        for row in rows
    ]


def at_position(problems: Sequence[Problem], position: int, count: int, seed: int) -> list[Problem]:
    """Return `count` problems from `position` on, in an order shuffled anew for every epoch.

    The position alone decides, so that a resumed run goes on exactly where it stopped.
    """
    return [
        problems[_order(len(problems), place // len(problems), seed)[place % len(problems)]]
        for place in range(position, position + count)
    ]


@cache
def _order(length: int, epoch: int, seed: int) -> list[int]:
    order = list(range(length))
    random.Random(f"{seed}-{epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    return order
