"""A run's log as a picture: ``curves.png`` beside ``log.jsonl``, one small plot for each value."""

from __future__ import annotations

import json
from pathlib import Path

from workers.training.common.run import LOG


def draw_curves(folder: Path) -> None:
    """Draw what the log of a run folder holds; nothing where nothing was logged."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in (folder / LOG).read_text("utf-8").splitlines()]
    names = list(dict.fromkeys(name for line in lines for name in line if name not in ("step", "minutes")))
    if not names:
        return
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4 * columns, 2.6 * rows), squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        points = [(line["step"], line[name]) for line in lines if name in line]
        axis.plot(*zip(*points, strict=True), linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in list(axes.flat)[len(names) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(folder / "curves.png", dpi=90)
    pyplot.close(figure)
