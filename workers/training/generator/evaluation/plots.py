"""Plots for the model card: speed, prompt fidelity and training curves. They show no training data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

INK, CINNABAR, PALE = "#22303c", "#b5382a", "#9fb0bd"
CURVES = (
    ("losses", ("discriminator", "generator", "match", "diversity")),
    ("Frechet distance of 1,000 pictures (thousands)", ("frechet_1000",)),
    ("fidelity", ("fidelity", "fit", "colour", "scene")),
)
"""Title and names of the log's values for each panel; what a log does not have is left out."""


def _figure(columns: int, width: float = 4.6, height: float = 3.4) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width * columns, height), layout="constrained", dpi=96)
    axes = np.atleast_1d(figure.subplots(1, columns)).tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def read_log(path: Path) -> dict[str, list[tuple[int, float]]]:
    """A run's ``log.jsonl`` -> (step, value) pairs by name; a resumed run's later lines win.

    Raises FileNotFoundError, and ValueError for a line that is no log line.
    """
    found: dict[str, dict[int, float]] = {}
    for text in path.read_text("utf-8").splitlines():
        line = json.loads(text)
        if not isinstance(line, dict) or "step" not in line:
            raise ValueError(f"{path}: not a line of a training log: {text[:80]}")
        for name, value in line.items():
            if name not in ("step", "minutes"):
                found.setdefault(name, {})[int(line["step"])] = float(value)
    return {name: sorted(values.items()) for name, values in found.items()}


def smoothed(values: Sequence[float], window: int = 9) -> list[float]:
    """Running means over up to ``window`` neighbours, as long as ``values``."""
    half = min(window, len(values)) // 2
    return [float(np.mean(values[max(0, k - half) : k + half + 1])) for k in range(len(values))]


def curves(logs: Sequence[Path], target: Path) -> bool:
    """Training curves over the steps of one run, or of several stages in a row; False when empty."""
    series: dict[str, list[tuple[int, float]]] = {}
    offset = 0
    for path in logs:
        log = read_log(path)
        last = max((steps[-1][0] for steps in log.values()), default=0)
        for name, values in log.items():
            series.setdefault(name, []).extend((offset + step, value) for step, value in values)
        offset += last
    panels = [
        (title, [name for name in names if name in series])
        for title, names in CURVES
        if any(name in series for name in names)
    ]
    if not panels:
        return False
    figure, axes = _figure(len(panels))
    colours = (INK, CINNABAR, PALE, "#7a6a3a")
    for axis, (title, names) in zip(axes, panels, strict=True):
        for name, colour in zip(names, colours, strict=False):
            steps, height = [step for step, _ in series[name]], [value for _, value in series[name]]
            noisy = len(height) > 30
            axis.plot(steps, smoothed(height) if noisy else height, color=colour, label=name, lw=1.3)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("step", fontsize=8)
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        axis.legend(fontsize=7, frameon=False)
        axis.tick_params(labelsize=7)
    figure.savefig(target)
    return True


def fidelity(figures: Mapping[str, Any], target: Path) -> None:
    """Bars of the fidelity figures, English beside Chinese: colours, then scenes beside real ones."""
    figure, axes = _figure(2, 5.2)
    english, chinese = figures["english"], figures["chinese"]
    colours = list(english["colours"])
    groups = [
        (
            "asked main colour dominates",
            colours,
            [
                ("English", INK, [english["colours"][name]["dominates"] for name in colours]),
                ("Chinese", CINNABAR, [chinese["colours"][name]["dominates"] for name in colours]),
            ],
        ),
        (
            "asked scene is the classifier's first guess",
            list(english["scenes"]),
            [
                ("English", INK, list(english["scenes"].values())),
                ("Chinese", CINNABAR, [chinese["scenes"][name] for name in english["scenes"]]),
                (
                    "real, held out",
                    PALE,
                    [figures["scene_classifier"]["per_scene"][name] for name in english["scenes"]],
                ),
            ],
        ),
    ]
    for axis, (title, names, bars) in zip(axes, groups, strict=True):
        width = 0.8 / len(bars)
        for k, (label, colour, values) in enumerate(bars):
            axis.bar(
                np.arange(len(names)) + (k - (len(bars) - 1) / 2) * width,
                values,
                width,
                color=colour,
                label=label,
            )
        axis.set_xticks(range(len(names)), names, rotation=45, fontsize=8, ha="right")
        axis.set_ylim(0, 1.12)
        axis.set_title(title, fontsize=9)
        axis.tick_params(axis="y", labelsize=7)
        axis.legend(fontsize=7, frameon=False, ncols=3, loc="upper left")
    figure.savefig(target)


def speed(figures: Mapping[str, Any], target: Path) -> None:
    """Pictures per second by batch size, the engine beside the raw loop."""
    figure, (axis,) = _figure(1)
    rates = figures["pictures_per_second"]
    sizes = [int(size) for size in rates]
    axis.plot(sizes, [rates[str(n)]["raw"] for n in sizes], "o--", color=PALE, label="raw forward loop")
    axis.plot(sizes, [rates[str(n)]["engine"] for n in sizes], "o-", color=INK, label="engine")
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [str(n) for n in sizes])
    axis.set_ylim(bottom=0)
    axis.set_xlabel("pictures of one request", fontsize=8)
    axis.set_title(f"paintings of 512 px a second ({figures['device']})", fontsize=9)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, frameon=False)
    figure.savefig(target)
