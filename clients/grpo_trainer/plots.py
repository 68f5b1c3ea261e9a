"""Curves of one or several runs as a PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: a file is drawn, on machines without a display
import matplotlib.pyplot as plt

Row = Mapping[str, Any]

TITLES = {
    "pass_1": "held-out pass@1",
    "language": "held-out language consistency",
    "reward": "reward of the rollouts",
    "length": "tokens of a completion",
}


def draw_curves(runs: Mapping[str, Sequence[Row]], names: Sequence[str], file: Path) -> None:
    """Draw one panel for each of `names`, one line for each run; x is the row's `step`."""
    figure, panels = plt.subplots(
        1, len(names), figsize=(6 * len(names), 4), squeeze=False, layout="constrained"
    )
    for panel, name in zip(panels[0], names, strict=True):
        for label, rows in runs.items():
            points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
            panel.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
        panel.set(xlabel="step", title=TITLES.get(name, name), ylim=(0, None))
        panel.grid(alpha=0.3)
    panels[0][0].legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)
