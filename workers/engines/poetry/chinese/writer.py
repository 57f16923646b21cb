"""Chinese regulated verse: from a task to its drafts, and from finished drafts to poems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from workers import device as devices
from workers import weights
from workers.engines.base import Poem, Task
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.chinese import picture_theme, prosody, rhyme_dictionaries, themes
from workers.engines.poetry.chinese.annotation import annotate
from workers.engines.poetry.chinese.decoding import ChineseDecoder, Draft
from workers.engines.poetry.chinese.planning import Plan, plan
from workers.engines.poetry.chinese.request import ChineseVerseRequest
from workers.engines.poetry.chinese.rhyme_dictionaries import RhymeBook
from workers.engines.poetry.chinese.vocabulary_masks import VerseTables
from workers.engines.poetry.picture_content import PictureContent
from workers.engines.poetry.prompt_tokens import simplify
from workers.engines.poetry.protocol import ReadPicture
from workers.engines.poetry.request import VerseRequest
from workers.nets.chinese_verse_lstm import UNKNOWN, ChineseVerseLSTM, ChineseVerseLSTMConfig

TABLES = ("tones", "rhymes", "doubles", "couplet_above", "couplet_below", "known_lines")


@dataclass(slots=True)
class ChineseVerseTask:
    """A task and the drafts of its poems; see :class:`workers.engines.poetry.protocol.VerseTask`."""

    writer: ChineseWriter
    task: Task
    theme: themes.Theme
    request: ChineseVerseRequest
    content: PictureContent | None = None
    drafts: list[Draft] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def drop(self) -> None:
        """Stop writing its poems."""
        for draft in self.drafts:
            draft.dropped = True

    def show(self, done: int) -> None:
        """A line is chosen as a whole; it appears while the next one is being written."""
        self._show(done - self.request.form.length)

    def _show(self, characters: int) -> None:
        """Report the first ``characters`` of each poem, one line of verse per line of text."""
        if characters <= 0:
            return
        length = self.request.form.length
        for index, draft in enumerate(self.drafts):
            visible = draft.text[:characters]
            lines = [visible[i : i + length] for i in range(0, len(visible), length)]
            self.task.report.text("\n".join(lines[::-1] if draft.swap else lines), index)

    def poems(self) -> tuple[Poem, ...]:
        """The finished poems, after the rest of them was shown."""
        form = self.request.form
        for shown in range(form.slots - form.length + 1, form.slots + 1):
            self._show(shown)
        return tuple(self._poem(*made) for made in zip(self.drafts, self.plans, strict=True))

    def _poem(self, draft: Draft, planned: Plan) -> Poem:
        prompt, content = self.request.prompt, self.content
        title = themes.title(prompt, self.theme, self.request.acrostic, draft.text)
        if content is not None and not prompt.strip():
            title = picture_theme.title_of(content)
        return Poem(
            lines=draft.lines,
            title=title,
            details={
                "form": draft.form.slug,
                "form_name": draft.form.chinese,
                "pattern": prosody.pattern_name(draft.form, planned.pattern) if planned.pattern else "",
                "rhyme": "" if planned.rhyme is None else draft.book.names[planned.rhyme],
                "rhyme_book": draft.book.slug,
                "author": self.request.poet,
                "theme": self.theme.characters,
                "acrostic": self.request.acrostic,
                "craft": annotate(draft, planned, self.writer.index),
            }
            | ({"picture": content.to_details()} if content is not None else {}),
        )


class ChineseWriter:
    """Writes with the weights ``name``; see :class:`workers.engines.poetry.protocol.Writer`.

    Raises :class:`workers.weights.WeightsError` when the weights are missing or damaged.
    """

    def __init__(self, device: torch.device, name: str = "verse") -> None:
        self.device = device
        loaded = weights.load(name)
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        config = loaded.card["config"]
        try:
            tables = {table: loaded.tensors.pop(table) for table in TABLES}
            self.words = [*config["specials"], *config["characters"]]
            self.poets = tuple(str(poet) for poet in config.get("authors_named", ()))
            names: list[str] = list(config["rhymes_named"])
            model = ChineseVerseLSTM(ChineseVerseLSTMConfig.from_dict(config))
            model.load_state_dict(loaded.tensors)
            if len(self.words) != model.config.vocabulary or len(tables["tones"]) != len(self.words):
                raise ValueError(f"{len(self.words)} words for a vocabulary of {model.config.vocabulary}")
            if len(self.poets) >= model.config.authors:
                raise ValueError(f"{len(self.poets)} poets for {model.config.authors} rows")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: {error}") from error
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.index = {word: i for i, word in enumerate(self.words) if i >= len(config["specials"])}
        weighted = torch.tensor(config["rhyme_weights"], dtype=torch.float32)
        tones, rhymes = tables.pop("tones"), tables.pop("rhymes")
        self.books = {
            rhyme_dictionaries.PINGSHUI: rhyme_dictionaries.pingshui(names, tones, rhymes, weighted)
        }
        self._pattern_weights = torch.tensor(config["pattern_weights"], dtype=torch.float32)
        known = BloomFilter(tables.pop("known_lines").numpy().tobytes())
        self.decoder = ChineseDecoder(
            model, VerseTables(self.words, known_lines=known, **tables), self.device
        )

    def prepare(self, task: Task, read_picture: ReadPicture) -> ChineseVerseTask:
        """Understand a task and plan its poems. Raises InvalidRequest, JobCanceled, JobReleased."""
        rhymes = self.books[rhyme_dictionaries.PINGSHUI].names
        request = ChineseVerseRequest.parse(VerseRequest.from_parameters(task.parameters), rhymes, self.poets)
        theme = themes.understand(request.prompt, self.index)
        if theme.unknown:
            task.report.note("unknown_words", words=list(theme.unknown))
        content = read_picture(task)
        if content is not None:
            theme = picture_theme.theme_of(content, theme, self.index)
        verse_task = ChineseVerseTask(self, task, theme, request, content)
        for number in range(request.count):
            self._draft(verse_task, devices.generator(task.seed, number))
        return verse_task

    def book(self, slug: str) -> RhymeBook:
        """A book of rhymes; today's is made when it is first asked for."""
        if slug not in self.books:
            self.books[slug] = rhyme_dictionaries.modern(self.words, self.books[rhyme_dictionaries.PINGSHUI])
        return self.books[slug]

    def _draft(self, verse_task: ChineseVerseTask, generator: torch.Generator) -> None:
        """Plan one more poem of an verse_task."""
        request = verse_task.request
        tokens = {
            slot: self.index.get(simplify(character), UNKNOWN) for slot, character in request.given.items()
        }
        theme = tuple(self.index[character] for character in verse_task.theme.characters)
        book = self.book(request.rhyme_book)
        weights_of_form = self._pattern_weights[prosody.network_number(request.form)]
        old = self.books[rhyme_dictionaries.PINGSHUI]
        planned = plan(request, tokens, book, old, weights_of_form, theme, generator)
        draft = Draft(
            request.form,
            book,
            planned.rhyme,
            planned.codes,
            theme,
            {slot: (tokens[slot], character) for slot, character in request.given.items()},
            request.temperature,
            generator,
            request.dynasty,
            planned.mirror,
            planned.swap,
            author=1 + self.poets.index(request.poet) if request.poet else 0,
        )
        verse_task.plans.append(planned)
        verse_task.drafts.append(draft)

    def write(self, tasks: Sequence[ChineseVerseTask]) -> Iterator[tuple[int, int]]:
        """Write the poems of tasks of one form; yields (characters decided, characters)."""
        drafts = [draft for verse_task in tasks for draft in verse_task.drafts]
        for decided in self.decoder.write(drafts):
            yield decided, drafts[0].form.slots
