"""A training run: a folder with checkpoints and a log, a time budget, and a clean stop.

A run can be stopped at any moment (Ctrl-C, SIGTERM, the budget): the newest checkpoint is complete
because it is written to a temporary file and renamed, and ``--resume`` goes on from it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class TrainingRun:
    """Owns a run folder: ``checkpoint.pt``, ``log.jsonl`` and whatever sheets the loop adds.

    ``minutes`` is the budget of this call; ``elapsed`` counts the seconds of all calls together.
    """

    def __init__(self, folder: Path, minutes: float, save_every: float = 120.0) -> None:
        self.folder = folder
        self.save_every = save_every
        self.step = 0
        self.elapsed = 0.0
        self._budget = minutes * 60
        self._started = time.monotonic()
        self._saved = self._started
        self._before = 0.0
        self._stop = False
        self._asked = False
        folder.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True

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

    def running(self) -> bool:
        """Whether there is time for another step. A call makes one step at least, however short its time."""
        now = time.monotonic()
        self.elapsed = self._before + now - self._started
        first, self._asked = not self._asked, True
        return not self._stop and (first or now - self._started < self._budget)

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

    def log(self, **values: float) -> None:
        """Append one line to the log and print it."""
        line = {"step": self.step, "minutes": round(self.elapsed / 60, 2)} | {
            key: round(float(value), 5) for key, value in values.items()
        }
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)


def seed_everything(seed: int) -> torch.Generator:
    """Seed torch's global generator (initial weights) and return one for the data order."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed + 1)
