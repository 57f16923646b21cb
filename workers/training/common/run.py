"""The loop of every training: a run folder with checkpoints and a log, a time budget, and a clean stop.

A model brings a :class:`Trainer` and :func:`run_training` does the rest. A run can be stopped at any moment
(Ctrl-C, SIGTERM, the budget): the step at hand is finished and the checkpoint written, to a temporary file
that is then renamed, so that the newest checkpoint is always complete and a later call goes on from it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import torch
from torch import nn

from workers.training.common.curves import LOG, draw_curves

CHECKPOINT = "checkpoint.pt"
FIRST_SHEET = 100
"""Step of the first sheet of samples, to see early whether a run learns at all."""

Figures = Mapping[str, float | torch.Tensor]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: steps that were made before this one, and the share (0..1) of the schedule."""

    step: int
    share: float


class Trainer(ABC):
    """One model's training: what a step does and what a checkpoint holds."""

    parts: dict[str, nn.Module | torch.optim.Optimizer]
    """Networks and optimisers, by their names in a checkpoint."""
    OLD_NAMES: ClassVar[Mapping[str, str]] = {}
    """Names in checkpoints of earlier versions -> names of today."""

    @abstractmethod
    def step(self, progress: Progress) -> Figures:
        """One update of the weights; returns scalars for the log."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint. Raises KeyError for a state of another training."""
        known = {self.OLD_NAMES.get(name, name): value for name, value in state.items()}
        for name, part in self.parts.items():
            part.load_state_dict(known[name])

    def sheet(self, folder: Path, step: int) -> None:  # noqa: B027 (optional, not forgotten)
        """Draw samples into the run folder; nothing by default."""

    def validate(self, complete: bool = False) -> Figures:
        """Figures on held-out data, ``complete`` at the end of a run; none by default."""
        return {}


class TrainingRun:
    """A run folder (``checkpoint.pt``, ``log.jsonl``, samples, curves) and the time that is left.

    ``minutes`` is the budget of this call; ``elapsed`` counts the seconds of all calls together.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        *,
        plan_minutes: float | None = None,
        whole_run: bool = False,
        save_every: float = 120.0,
    ) -> None:
        """Make ``folder`` if it is not there.

        ``plan_minutes``: length of the schedule over all calls together; None: each call has a schedule of
        its own, as long as its budget, from its first step on. ``whole_run``: stop at the end of the plan
        even if this call has time left. ``save_every``: seconds between checkpoints.
        """
        self.folder = folder
        self.save_every = save_every
        self.step = 0
        self.elapsed = 0.0
        self.stopped = False
        self._plan = None if plan_minutes is None else plan_minutes * 60
        self._whole_run = whole_run
        self._budget = minutes * 60
        self._started = time.monotonic()
        self._saved = self._started
        self._before = 0.0
        self._began: float | None = None
        self._steps: tuple[int, int] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def limit_steps(self, first: int, last: int) -> None:
        """End at step ``last`` at the latest; the schedule then also advances from ``first`` to ``last``."""
        self._steps = (first, last)

    def restore(self, map_location: torch.device) -> dict[str, Any] | None:
        """The state of the newest checkpoint, or None when the run is new."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return None
        saved = torch.load(path, map_location=map_location, weights_only=True)
        self.continues(int(saved["step"]), float(saved["elapsed"]))
        state: dict[str, Any] = saved["state"]
        return state

    def continues(self, step: int, elapsed: float) -> None:
        """Count on from another run's steps and seconds."""
        self.step, self._before = step, elapsed
        self.elapsed = elapsed

    @contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the loop after the step at hand; their handlers are put back afterwards."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.stopped = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def running(self) -> bool:
        """Whether there is time for another step. A call makes one step at least, however short its time."""
        now = time.monotonic()
        self.elapsed = self._before + now - self._started
        if self.stopped or (self._steps is not None and self.step >= self._steps[1]):
            return False
        if self._whole_run and self._plan is not None and self.elapsed >= self._plan:
            return False
        if self._began is None:
            self._began = self.elapsed
            return True
        return now - self._started < self._budget

    def progress(self) -> Progress:
        """How far the run is: by time or by steps, whichever is further."""
        began = self.elapsed if self._began is None else self._began
        over, whole = (
            (self.elapsed - began, self._budget) if self._plan is None else (self.elapsed, self._plan)
        )
        share = over / whole if whole else 1.0
        if self._steps is not None:
            first, last = self._steps
            share = max(share, (self.step - first) / max(last - first, 1))
        return Progress(self.step, min(1.0, share))

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.save_every

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint atomically."""
        self.elapsed = self._before + time.monotonic() - self._started
        temporary = self.folder / f"{CHECKPOINT}.tmp"
        torch.save({"step": self.step, "elapsed": self.elapsed, "state": dict(state)}, temporary)
        os.replace(temporary, self.folder / CHECKPOINT)
        self._saved = time.monotonic()

    def log(self, values: Figures) -> None:
        """Append one line to the log and print it; nothing when there are no values."""
        if not values:
            return
        line = {"step": self.step, "minutes": round(self.elapsed / 60, 2)} | {
            key: round(_number(value), 5) for key, value in values.items()
        }
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)


class _Means:
    """Means of figures over some steps; a figure that not every step has is averaged over those that do."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, figures: Figures) -> None:
        for name, value in figures.items():
            self._values.setdefault(name, []).append(_number(value))

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = {name: sum(values) / len(values) for name, values in self._values.items()}
        self._values = {}
        return means


def _number(value: float | torch.Tensor) -> float:
    return float(value.detach()) if isinstance(value, torch.Tensor) else float(value)


def run_training(
    run: TrainingRun,
    trainer: Trainer,
    *,
    log_every: int = 50,
    sheet_every: int = 0,
    validate_every: float = 600.0,
) -> None:
    """Make steps until the budget is spent, the last step is reached or a signal comes.

    ``log_every`` steps the means of their figures are logged; ``sheet_every`` steps (0: only at the end), and
    at FIRST_SHEET, samples are drawn; ``validate_every`` seconds after the last validation comes the next.
    A run that was stopped by a signal saves and ends; any other also draws and validates completely.
    """
    means = _Means()
    validated = time.monotonic()
    with run.stopping_on_signals():
        while run.running():
            means.add(trainer.step(run.progress()))
            run.step += 1
            if run.step % log_every == 0:
                run.log(means.take())
            if sheet_every and (run.step == FIRST_SHEET or run.step % sheet_every == 0):
                trainer.sheet(run.folder, run.step)
            if time.monotonic() - validated >= validate_every:
                run.log(trainer.validate())
                draw_curves(run.folder)
                validated = time.monotonic()
            if run.due():
                run.save(trainer.state_dict())
        run.save(trainer.state_dict())
        last: Figures = means.take()
        if not run.stopped:
            trainer.sheet(run.folder, run.step)
            last = {**last, **trainer.validate(complete=True)}
        run.log(last)
        draw_curves(run.folder)
