"""Kind ``analyse``: which style, painter and genre a picture resembles, why, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from workers import device as devices
from workers import images
from workers.engines.base import Picture, Result, Task
from workers.engines.batching import run_sequentially
from workers.engines.request import Request
from workers.engines.vision.picture_analysis import LONGEST, PictureAnalyser


@dataclass(frozen=True, slots=True)
class AnalyseRequest(Request):
    """``analyse`` has no parameters: only the picture in the role ``image``."""


class AnalyseEngine:
    """Analyses one picture at a time: most of the work is hiding parts of it, which is a batch already."""

    kind: ClassVar[str] = "analyse"
    request: ClassVar[type[AnalyseRequest]] = AnalyseRequest
    batch_size: ClassVar[int] = 1
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        self.device = devices.pick()
        self.analyser = PictureAnalyser(self.device)
        classifier = self.analyser.classifier
        self.model_name, self.model_digest = classifier.name, classifier.digest

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every picture has its own size, so all that is shared is the model."""
        return "analyse"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        return run_sequentially(tasks, self._analyse)

    def _analyse(self, task: Task) -> Picture:
        AnalyseRequest.from_parameters(task.parameters)
        path = task.input("image")
        task.report.phase("looking")
        image = images.open_rgb(path, LONGEST)
        task.report.preview(image)
        analysis = self.analyser.analyse(image, task.report.step)
        return Picture(image, details={"analysis": analysis.to_details()}, generated=False)
