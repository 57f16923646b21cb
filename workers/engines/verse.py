"""Kind ``verse``: Chinese regulated verse on a theme, character by character, led as far as one likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from workers import device as devices
from workers import weights
from workers.engines import picture_theme, prosody, verse_books, verse_themes, verse_wishes
from workers.engines.base import (
    InvalidRequest,
    JobCanceled,
    JobReleased,
    Poem,
    Result,
    Task,
    TooLarge,
    step_all,
)
from workers.engines.bloom import BloomFilter
from workers.engines.picture_reader import PictureReader
from workers.engines.verse_books import Book
from workers.engines.verse_craft import craft
from workers.engines.verse_decoding import Composer, Draft, Rules
from workers.engines.verse_planning import Plan, plan
from workers.nets.poet import UNKNOWN, Poet, PoetConfig

TABLES = ("tones", "rhymes", "doubles", "couplet_above", "couplet_below", "known_lines")


@dataclass(slots=True)
class _Request:
    """A task and its poems in the making."""

    task: Task
    theme: verse_themes.Theme
    wish: verse_wishes.Wish
    seen: picture_theme.Seen | None = None
    drafts: list[Draft] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)


class VerseEngine:
    """Writes 绝句 and 律诗 that keep form, tones and rhyme by construction.

    Raises :class:`workers.weights.WeightsError` when the weights are missing or damaged.
    """

    kind: ClassVar[str] = "verse"
    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 30.0

    def __init__(self, name: str = "verse", device: torch.device | None = None) -> None:
        self.device = device or devices.pick()
        self.pictures = PictureReader()
        loaded = weights.load(name)
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        config = loaded.card["config"]
        try:
            tables = {table: loaded.tensors.pop(table) for table in TABLES}
            self.words = [*config["specials"], *config["characters"]]
            names: list[str] = list(config["rhymes_named"])
            model = Poet(PoetConfig.from_dict(config))
            model.load_state_dict(loaded.tensors)
            if len(self.words) != model.config.vocabulary or len(tables["tones"]) != len(self.words):
                raise ValueError(f"{len(self.words)} words for a vocabulary of {model.config.vocabulary}")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: {error}") from error
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.index = {word: i for i, word in enumerate(self.words) if i >= len(config["specials"])}
        weighted = torch.tensor(config["rhyme_weights"], dtype=torch.float32)
        tones, rhymes = tables.pop("tones"), tables.pop("rhymes")
        self.books = {verse_books.PINGSHUI: verse_books.pingshui(names, tones, rhymes, weighted)}
        self._pattern_weights = torch.tensor(config["pattern_weights"], dtype=torch.float32)
        known = BloomFilter(tables.pop("known_lines").numpy().tobytes())
        self.composer = Composer(model, Rules(self.words, known_lines=known, **tables), self.device)

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Poems of one form keep step with each other; everything else may differ."""
        return verse_wishes.form_slug(parameters)

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order; see :class:`workers.engines.base.Engine`.

        Parameters: ``prompt``, ``count`` (1..8), and those of :func:`workers.engines.verse_wishes.read`:
        ``form`` (a slug of prosody.FORMS, or ``couplet``), ``opening`` (a draft), ``acrostic``,
        ``dynasty``, ``rhyme``, ``rhyme_book``, ``temperature`` (0.3..1.5). The picture in the role
        ``image``, if there is one, adds to the theme.
        """
        results: dict[int, Result] = {}
        requests: dict[int, _Request] = {}
        for number, task in enumerate(tasks):
            try:
                requests[number] = self._request(task)
                task.report.phase("writing")
            except (InvalidRequest, JobCanceled, JobReleased) as error:
                results[number] = Result(error=error)
        forms = {request.drafts[0].form.slug for request in requests.values()}
        if len(forms) > 1:
            raise ValueError(f"a batch of several forms: {', '.join(sorted(forms))}")
        if requests:
            try:
                results |= self._write(requests)
            except torch.OutOfMemoryError as error:
                raise TooLarge(str(error)) from error
        return [results[number] for number in range(len(tasks))]

    def _request(self, task: Task) -> _Request:
        parameters = task.parameters
        wish = verse_wishes.read(parameters, tuple(self.books[verse_books.PINGSHUI].names))
        theme = verse_themes.understand(str(parameters.get("prompt", "")), self.index)
        if theme.unknown:
            task.report.note("unknown_words", words=list(theme.unknown))
        seen = self.pictures.read(task)
        if seen is not None:
            theme = picture_theme.theme_of(seen, theme, self.index)
        request = _Request(task, theme, wish, seen)
        for number in range(int(parameters.get("count", 1))):
            self._draft(request, devices.generator(task.seed, number))
        return request

    def book(self, slug: str) -> Book:
        """A book of rhymes; today's is made when it is first asked for."""
        if slug not in self.books:
            self.books[slug] = verse_books.modern(self.words, self.books[verse_books.PINGSHUI])
        return self.books[slug]

    def _draft(self, request: _Request, generator: torch.Generator) -> None:
        """Plan one more poem of a request."""
        wish = request.wish
        tokens = {
            slot: self.index.get(verse_themes.simplify(character), UNKNOWN)
            for slot, character in wish.given.items()
        }
        theme = tuple(self.index[character] for character in request.theme.characters)
        book = self.book(wish.book)
        weights_of_form = self._pattern_weights[prosody.network_number(wish.form)]
        old = self.books[verse_books.PINGSHUI]
        planned = plan(wish, tokens, book, old, weights_of_form, theme, generator)
        draft = Draft(
            wish.form,
            book,
            planned.rhyme,
            planned.codes,
            theme,
            {slot: (tokens[slot], character) for slot, character in wish.given.items()},
            wish.temperature,
            generator,
            wish.dynasty,
            planned.mirror,
            planned.swap,
        )
        request.plans.append(planned)
        request.drafts.append(draft)

    def _write(self, requests: Mapping[int, _Request]) -> dict[int, Result]:
        order = list(requests)
        stopped: dict[int, Exception] = {}
        tasks = [requests[number].task for number in order]
        drafts = [draft for request in requests.values() for draft in request.drafts]
        form = drafts[0].form
        for decided in self.composer.write(drafts):
            # A line is chosen as a whole; it appears while the next one is being written.
            shown = decided - form.length
            going_on = step_all(tasks, stopped, decided, form.slots)
            for place, number in enumerate(order):
                if place in stopped:
                    for draft in requests[number].drafts:
                        draft.dropped = True
                elif place in going_on:
                    _show(requests[number], shown, form)
        for place, number in enumerate(order):
            for shown in range(form.slots - form.length + 1, form.slots + 1) if place not in stopped else ():
                _show(requests[number], shown, form)
        results = {}
        for place, number in enumerate(order):
            if place in stopped:
                results[number] = Result(error=stopped[place])
            else:
                request = requests[number]
                made = zip(request.drafts, request.plans, strict=True)
                results[number] = Result(tuple(self._poem(request, *one) for one in made))
        return results

    def _poem(self, request: _Request, draft: Draft, planned: Plan) -> Poem:
        prompt, seen = str(request.task.parameters.get("prompt", "")), request.seen
        title = verse_themes.title(prompt, request.theme, request.wish.acrostic, draft.text)
        if seen is not None and not prompt.strip():
            title = picture_theme.title_of(seen)
        return Poem(
            lines=draft.lines,
            title=title,
            details={
                "form": draft.form.slug,
                "form_name": draft.form.chinese,
                "pattern": prosody.pattern_name(draft.form, planned.pattern) if planned.pattern else "",
                "rhyme": "" if planned.rhyme is None else draft.book.names[planned.rhyme],
                "rhyme_book": draft.book.slug,
                "theme": request.theme.characters,
                "acrostic": request.wish.acrostic,
                "craft": craft(draft, planned, self.index),
            }
            | ({"picture": seen.to_details()} if seen is not None else {}),
        )


def _show(request: _Request, characters: int, form: prosody.Form) -> None:
    """Report the first ``characters`` of each poem, one line of verse per line of text."""
    if characters <= 0:
        return
    for index, draft in enumerate(request.drafts):
        visible = draft.text[:characters]
        lines = [visible[i : i + form.length] for i in range(0, len(visible), form.length)]
        request.task.report.text("\n".join(lines[::-1] if draft.swap else lines), index)
