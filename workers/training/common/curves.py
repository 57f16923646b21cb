"""A run's log as a picture: ``curves.png`` beside ``log.jsonl``, one small plot for each value."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

LOG = "log.jsonl"


def draw_curves(folder: Path) -> None:
    """Draw what the log of a run folder holds; nothing where nothing was logged."""
    if not (folder / LOG).is_file():
        return
    lines = [json.loads(line) for line in (folder / LOG).read_text("utf-8").splitlines()]
    names = list(dict.fromkeys(name for line in lines for name in line if name not in ("step", "minutes")))
    if not names:
        return
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="tight", dpi=90)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, name in zip(axes, names, strict=False):
        points = [(line["step"], line[name]) for line in lines if name in line]
        axis.plot(*zip(*points, strict=True), linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes[len(names) :]:
        axis.axis("off")
    figure.savefig(folder / "curves.png")
