"""What a run leaves to look at: lines of JSON, TensorBoard scalars, completions with reasons."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from grpo_trainer.problems import Problem
from grpo_trainer.rewards import Graded

SHOWN_COMPLETIONS = 4


class RunLog:
    """`metrics.jsonl`, `completions.jsonl` and TensorBoard events in one directory."""

    def __init__(self, directory: Path, *, resumed_at: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._metrics = directory / "metrics.jsonl"
        self._completions = directory / "completions.jsonl"
        for file in (self._metrics, self._completions):
            _forget_after(file, resumed_at)
        self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=resumed_at)

    def write(self, step: int, kind: str, values: Mapping[str, float | int | None]) -> None:
        """Append a line {"step", "kind", …} and the same values as scalars `kind/name`."""
        _append(self._metrics, {"step": step, "kind": kind, **values})
        for name, value in values.items():
            if value is not None:
                self._board.add_scalar(f"{kind}/{name}", value, step)
        self._board.flush()

    def show(
        self,
        step: int,
        problems: Sequence[Problem],
        texts: Sequence[str],
        graded: Sequence[Graded],
    ) -> None:
        """Append the first completions of a step with every component's score and reason."""
        rows = zip(problems, texts, graded, strict=True)
        for problem, text, grade in [*rows][:SHOWN_COMPLETIONS]:
            parts = {
                name: {key: part.get(key) for key in ("score", "verdict", "reason")}
                for name, part in grade.components.items()
            }
            told = {"prompt": problem.prompt, "completion": text, "reward": grade.reward}
            _append(self._completions, {"step": step, **told, "components": parts})

    def close(self) -> None:
        """Write out what is buffered."""
        self._board.close()


def read_metrics(directory: Path, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind, in the order of their steps."""
    return [row for row in _rows(directory / "metrics.jsonl") if row["kind"] == kind]


def _append(file: Path, row: Mapping[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _forget_after(file: Path, step: int) -> None:
    """Drop what an interrupted run wrote after the checkpoint it is resumed from."""
    if file.exists():
        kept = [row for row in _rows(file) if row["step"] < step]
        file.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), "utf-8"
        )
