"""English verse: from a task to its drafts, and from finished drafts to poems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from workers import device as devices
from workers.engines.base import Poem, Task
from workers.engines.poetry.english import picture_theme, themes
from workers.engines.poetry.english.annotation import annotate
from workers.engines.poetry.english.lexicon import MARKS
from workers.engines.poetry.english.model import NAME, EnglishVerseModel, Theme
from workers.engines.poetry.english.planning import Draft
from workers.engines.poetry.english.request import EnglishVerseRequest
from workers.engines.poetry.picture_content import PictureContent
from workers.engines.poetry.protocol import ReadPicture
from workers.engines.poetry.request import VerseRequest


@dataclass(slots=True)
class EnglishVerseTask:
    """A task and the drafts of its poems; see :class:`workers.engines.poetry.protocol.VerseTask`."""

    writer: EnglishVerseModel
    task: Task
    theme: Theme
    request: EnglishVerseRequest
    content: PictureContent | None = None
    drafts: list[Draft] = field(default_factory=list)
    shown: int = 0

    def drop(self) -> None:
        """Stop writing its poems."""
        for draft in self.drafts:
            draft.dropped = True

    def show(self, done: int) -> None:
        """Report the finished lines when there is one more: within a line, words are written backwards."""
        finished = min(len(draft.tokens) for draft in self.drafts)
        if finished > self.shown:
            self.shown = finished
            for index, draft in enumerate(self.drafts):
                self.task.report.text("\n".join(self.writer.lines(draft)), index)

    def poems(self) -> tuple[Poem, ...]:
        """The finished poems."""
        return tuple(self._poem(draft) for draft in self.drafts)

    def _poem(self, draft: Draft) -> Poem:
        lines, form = self.writer.lines(draft), draft.form
        title = themes.title(self.request.prompt)
        if not title and self.content is not None:
            title = picture_theme.title_of(self.content)
        details = {
            "form": form.slug,
            "form_name": form.name,
            "language": "en",
            "scheme": form.scheme,
            "stanzas": list(form.stanzas),
            "author": self.request.poet,
            "acrostic": self.request.acrostic,
            "theme": [self.writer.lexicon.words[token] for token in draft.theme],
            "craft": annotate(draft, self.writer.lexicon),
        }
        if self.content is not None:
            details["picture"] = self.content.to_details()
        return Poem(lines, title or lines[0].rstrip("".join(MARKS)), details)


class EnglishWriter:
    """Writes with the weights ``name``; see :class:`workers.engines.poetry.protocol.Writer`.

    Raises :class:`workers.weights.WeightsError` when the weights are missing or damaged.
    """

    def __init__(self, device: torch.device, name: str = NAME) -> None:
        self.writer = EnglishVerseModel(device, name)
        self.model_name, self.model_digest = self.writer.name, self.writer.digest

    def prepare(self, task: Task, read_picture: ReadPicture) -> EnglishVerseTask:
        """Understand a task and plan its poems. Raises InvalidRequest, JobCanceled, JobReleased."""
        request = EnglishVerseRequest.parse(VerseRequest.from_parameters(task.parameters))
        named = themes.mentions(request.prompt)
        theme = self.writer.theme(named)
        if theme.unknown:
            task.report.note("unknown_words", words=list(theme.unknown))
        verse_task = EnglishVerseTask(self.writer, task, theme, request)
        for number in range(request.count):
            verse_task.drafts.append(
                self.writer.draft(
                    request.form.slug,
                    devices.generator(task.seed, number),
                    author=request.poet,
                    acrostic=request.acrostic,
                    temperature=request.temperature,
                    given=request.given,
                )
            )
        verse_task.content = read_picture(task)
        if verse_task.content is not None:
            # What a person said comes first: of the poem, then of the painting; then what a network saw.
            painted = themes.mentions(verse_task.content.prompt)
            saw = [themes.Mention(word, (word,)) for word in picture_theme.words_of(verse_task.content)]
            verse_task.theme = self.writer.theme([*named, *painted, *saw])
        for draft in verse_task.drafts:
            draft.theme = verse_task.theme.tokens
        return verse_task

    def write(self, tasks: Sequence[EnglishVerseTask]) -> Iterator[tuple[int, int]]:
        """Write the poems of tasks of one form; yields (syllables written, syllables)."""
        drafts = [draft for verse_task in tasks for draft in verse_task.drafts]
        for done in self.writer.write(drafts):
            yield done, sum(drafts[0].form.syllables)
