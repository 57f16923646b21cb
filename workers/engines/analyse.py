"""Kind ``analyse``: which style, painter and genre a picture resembles, why, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workers import device as devices
from workers import images
from workers.engines.base import Picture, Task
from workers.engines.batching import SequentialEngine
from workers.engines.request import Request
from workers.engines.vision.picture_analysis import LONGEST, PictureAnalyser


@dataclass(frozen=True, slots=True)
class AnalyseRequest(Request):
    """``analyse`` has no parameters: only the picture in the role ``image``."""


class AnalyseEngine(SequentialEngine):
    """Analyses a picture; most of the work is the classification of occluded copies, a batch by itself."""

    kind: ClassVar[str] = "analyse"
    request: ClassVar[type[AnalyseRequest]] = AnalyseRequest

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        self.device = devices.choose()
        self.analyser = PictureAnalyser(self.device)
        classifier = self.analyser.classifier
        self.model_name, self.model_digest = classifier.name, classifier.digest

    def make(self, task: Task) -> Picture:
        """The picture, unchanged, with its analysis."""
        AnalyseRequest.from_parameters(task.parameters)
        path = task.input("image")
        task.report.phase("looking")
        image = images.open_rgb(path, LONGEST)
        task.report.preview(image)
        analysis = self.analyser.analyse(image, task.report.step)
        return Picture(image, details={"analysis": analysis.to_details()}, generated=False)
