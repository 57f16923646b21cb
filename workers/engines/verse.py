"""Kind ``verse``: poems on a theme or a picture, Chinese or English as their form is."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from workers import device as devices
from workers import weights
from workers.engines.base import (
    EngineError,
    InvalidRequest,
    JobCanceled,
    JobReleased,
    Result,
    Task,
    TooLarge,
    step_all,
)
from workers.engines.poetry.chinese.request import form_slug
from workers.engines.poetry.chinese.writer import ChineseWriter
from workers.engines.poetry.english.forms import FORM_BY_SLUG as ENGLISH_FORMS
from workers.engines.poetry.english.model import NAME as ENGLISH
from workers.engines.poetry.english.writer import EnglishWriter
from workers.engines.poetry.picture_reader import PictureReader
from workers.engines.poetry.protocol import VerseTask, Writer
from workers.engines.poetry.request import VerseRequest

logger = logging.getLogger(__name__)


class VerseEngine:
    """Writes 绝句, 律诗 and couplets with the weights ``name``, and English forms with ``english``.

    The Chinese weights are those of the kind: the engine raises :class:`workers.weights.WeightsError`
    when they are missing or damaged. The English ones are loaded once, with the first English poem; without
    them Chinese goes on, and a poem in an English form fails with the code ``engine_unavailable``. Every
    such poem tries again: an operator may put the folder there meanwhile.
    """

    kind: ClassVar[str] = "verse"
    request: ClassVar[type[VerseRequest]] = VerseRequest
    batch_size: ClassVar[int] = 100  # tests/bench/verse.py: eight times the rate of one at a time
    stall_seconds: ClassVar[float] = 30.0

    def __init__(
        self, name: str = "verse", device: torch.device | None = None, english: str = ENGLISH
    ) -> None:
        self.device = device or devices.choose()
        self.pictures = PictureReader()
        self.chinese = ChineseWriter(self.device, name)
        self.model_name = self.chinese.model_name
        self.model_digest = self.chinese.model_digest
        self._english_name = english
        self._english: EnglishWriter | None = None

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Poems of one form keep step with each other; everything else may differ."""
        return form_slug(parameters)

    def model_of(self, parameters: Mapping[str, Any]) -> tuple[str, str]:
        """The name and the digest of the weights that write a poem; the digest is "" where there are none."""
        if not _is_english(parameters):
            return self.model_name, self.model_digest
        if self._english is not None:
            return self._english.model_name, self._english.model_digest
        try:
            card = weights.load_card(weights.find(self._english_name))
        except weights.WeightsError:
            return self._english_name, ""
        return str(card["name"]), str(card["sha256"])

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order; see :class:`workers.engines.base.Engine`.

        Parameters are those of :class:`VerseRequest`. A picture in the role ``image`` adds to the theme.
        """
        forms = {self.batch_key(task.parameters) for task in tasks}
        if len(forms) > 1:
            raise ValueError(f"a batch of several forms: {', '.join(sorted(forms))}")
        try:
            writer = self._writer(tasks)
        except EngineError as error:
            return [Result(error=error) for _ in tasks]
        results: dict[int, Result] = {}
        prepared: dict[int, VerseTask] = {}
        for number, task in enumerate(tasks):
            try:
                prepared[number] = writer.prepare(task, self.pictures.read)
                task.report.phase("writing")
            except (InvalidRequest, JobCanceled, JobReleased) as error:
                results[number] = Result(error=error)
        if prepared:
            try:
                results |= _written(writer, prepared)
            except torch.OutOfMemoryError as error:
                raise TooLarge(str(error)) from error
        return [results[number] for number in range(len(tasks))]

    def _writer(self, tasks: Sequence[Task]) -> Writer[Any]:
        """The writer of the form of these tasks. Raises EngineError when their weights cannot be loaded."""
        if not _is_english(tasks[0].parameters):
            return self.chinese
        if self._english is None:
            for task in tasks:
                task.report.phase("loading")
            try:
                self._english = EnglishWriter(self.device, self._english_name)
            except weights.WeightsError as problem:
                logger.error("English verse cannot be written: %s", problem)
                raise EngineError(
                    f"English verse: {problem}",
                    visitor="The worker cannot load the model for English verse. Its operators can see why.",
                    code="engine_unavailable",
                ) from problem
        return self._english


def _is_english(parameters: Mapping[str, Any]) -> bool:
    return parameters["form"] in ENGLISH_FORMS


def _written(writer: Writer[Any], prepared: Mapping[int, VerseTask]) -> dict[int, Result]:
    """Write the poems of all ``prepared`` tasks together; one that stops does not change the others."""
    numbers, wanted = list(prepared), list(prepared.values())
    stopped: dict[int, Exception] = {}
    tasks = [verse_task.task for verse_task in wanted]
    for done, steps in writer.write(wanted):
        going_on = step_all(tasks, stopped, done, steps)
        for place, verse_task in enumerate(wanted):
            if place in stopped:
                verse_task.drop()
            elif place in going_on:
                verse_task.show(done)
    return {
        number: Result(error=stopped[place]) if place in stopped else Result(verse_task.poems())
        for place, (number, verse_task) in enumerate(zip(numbers, wanted, strict=True))
    }
