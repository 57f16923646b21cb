"""Reading the picture that a poem is for: with the classifier, or without it by light and colours alone."""

from __future__ import annotations

import logging

from workers import device as devices
from workers import images, weights
from workers.engines.base import Task
from workers.engines.poetry.picture_content import PictureContent, prompt_of, telling_colours
from workers.engines.vision.analysis_schema import PictureReading, reading_from_details
from workers.engines.vision.colour_analysis import light_level, main_colours, measure_composition
from workers.engines.vision.picture_analysis import LONGEST, VIEWS, PictureAnalyser
from workers.engines.vision.zero_shot_tags import ZeroShotTagger

logger = logging.getLogger(__name__)

ROLE = "image"


class PictureReader:
    """Reads the picture of a task. The network is loaded when the first picture comes, once."""

    def __init__(self) -> None:
        self._analyser: PictureAnalyser | None = None
        self._tagger: ZeroShotTagger | None = None
        self._asked = False

    def read(self, task: Task) -> PictureContent | None:
        """What is in the picture in the role ``image``; None without one.

        A work that was analysed is not looked at again. Where the network's weights are missing, only light
        and colours are read: the poem is written all the same. Raises JobCanceled, JobReleased.
        """
        path = task.inputs.get(ROLE)
        if path is None:
            return None
        task.report.phase("looking")
        # Many pictures may come at once: each shows that the work goes on, and may be canceled.
        task.report.step(0, None)
        work = task.works.get(ROLE, {})
        details = work.get("details") or {}
        image = images.open_rgb(path, LONGEST)
        self._load()
        reading = reading_from_details(details)
        if reading is None and self._analyser is not None:
            reading = self._analyser.read(image)
        elif reading is None:
            reading = PictureReading(light=light_level(measure_composition(image)))
        impressions: tuple[str, ...] = ()
        if self._tagger is not None and reading.genre in (None, *VIEWS):
            impressions = self._tagger.tags(image)
        return PictureContent(reading, impressions, telling_colours(main_colours(image)), prompt_of(details))

    def _load(self) -> None:
        if self._asked:
            return
        self._asked = True
        try:
            self._analyser = PictureAnalyser(devices.choose())
        except weights.WeightsError as problem:
            logger.warning("pictures of poems are read by their light and colours: %s", problem)
        try:
            self._tagger = ZeroShotTagger.load(devices.choose())
        except weights.WeightsError as problem:
            logger.warning("pictures of poems leave no impressions: %s", problem)
