"""Kind ``verse``: Chinese regulated verse on a theme, character by character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from workers import device as devices
from workers import weights
from workers.engines import picture_theme, prosody, verse_themes
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
from workers.engines.verse_decoding import Composer, Draft, Rules
from workers.nets.poet import UNKNOWN, Poet, PoetConfig

TABLES = ("tones", "rhymes", "doubles", "couplet_above", "couplet_below", "known_lines")
SMALLEST_RHYME = 40
"""Rhymes with fewer characters are not chosen: eight lines could run out of them."""


@dataclass(slots=True)
class _Request:
    """A task and its poems in the making."""

    task: Task
    theme: verse_themes.Theme
    acrostic: str
    seen: picture_theme.Seen | None = None
    drafts: list[Draft] = field(default_factory=list)


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
            self._rhyme_names: list[str] = list(config["rhymes_named"])
            model = Poet(PoetConfig.from_dict(config))
            model.load_state_dict(loaded.tensors)
            if len(self.words) != model.config.vocabulary or len(tables["tones"]) != len(self.words):
                raise ValueError(f"{len(self.words)} words for a vocabulary of {model.config.vocabulary}")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: {error}") from error
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.index = {word: i for i, word in enumerate(self.words) if i >= len(config["specials"])}
        self._tones = tables["tones"].tolist()
        self._rhyme_weights = torch.tensor(config["rhyme_weights"], dtype=torch.float32)
        sizes = tables["rhymes"].sum(0)
        self._rhyme_weights[:, sizes < min(SMALLEST_RHYME, int(sizes.max()))] = 0.0
        self._rhymes = tables["rhymes"]
        self._pattern_weights = torch.tensor(config["pattern_weights"], dtype=torch.float32)
        known = BloomFilter(tables.pop("known_lines").numpy().tobytes())
        self.composer = Composer(model, Rules(self.words, known_lines=known, **tables), self.device)

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Poems of one form keep step with each other; theme, acrostic and temperature may differ."""
        return str(parameters["form"])

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order; see :class:`workers.engines.base.Engine`.

        Parameters: ``prompt``, ``form`` (a slug of prosody.FORMS), ``acrostic``, ``temperature``
        (0.3..1.5), ``count`` (1..8). The picture in the role ``image``, if there is one, adds to the theme.
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
        form = prosody.FORM_BY_SLUG.get(str(parameters["form"]))
        if form is None:
            raise InvalidRequest(
                f"form {parameters['form']!r}",
                visitor=f"The form must be one of {', '.join(prosody.FORM_BY_SLUG)}.",
            )
        acrostic = verse_themes.acrostic_characters(str(parameters.get("acrostic", "")), form.lines)
        theme = verse_themes.understand(str(parameters.get("prompt", "")), self.index)
        if theme.unknown:
            task.report.note("unknown_words", words=list(theme.unknown))
        temperature = float(parameters.get("temperature", 1.0))
        seen = self.pictures.read(task)
        if seen is not None:
            theme = picture_theme.theme_of(seen, theme, self.index)
        request = _Request(task, theme, acrostic, seen)
        for number in range(int(parameters.get("count", 1))):
            generator = devices.generator(task.seed, number)
            request.drafts.append(self._draft(form, theme, acrostic, temperature, generator))
        return request

    def _draft(
        self,
        form: prosody.Form,
        theme: verse_themes.Theme,
        acrostic: str,
        temperature: float,
        generator: torch.Generator,
    ) -> Draft:
        """Choose a scheme and a rhyme as often as poets do, with favour for rhymes of the theme."""
        ids = [self.index[character] for character in theme.characters]
        number = prosody.FORMS.index(form)
        pattern = 1 + int(torch.multinomial(self._pattern_weights[number], 1, generator=generator))
        chances = self._rhyme_weights[number].clone()
        for token in ids:
            chances[self._rhymes[token].bool()] *= 3.0
        rhyme = 1 + int(torch.multinomial(chances, 1, generator=generator))
        forced = {}
        for line, character in enumerate(acrostic):
            token = self.index.get(verse_themes.simplify(character), UNKNOWN)
            forced[line * form.length] = (token, character)
        codes = prosody.slot_codes(form, pattern, [self._tones[token] for token, _ in forced.values()])
        return Draft(form, pattern, rhyme, codes, tuple(ids), forced, temperature, generator)

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
                results[number] = Result(
                    tuple(self._poem(requests[number], d) for d in requests[number].drafts)
                )
        return results

    def _poem(self, request: _Request, draft: Draft) -> Poem:
        prompt, seen = str(request.task.parameters.get("prompt", "")), request.seen
        title = verse_themes.title(prompt, request.theme, request.acrostic, draft.text)
        if seen is not None and not prompt.strip():
            title = picture_theme.title_of(seen)
        return Poem(
            lines=draft.lines,
            title=title,
            details={
                "form": draft.form.slug,
                "form_name": draft.form.chinese,
                "pattern": prosody.pattern_name(draft.form, draft.pattern),
                "rhyme": self._rhyme_names[draft.rhyme - 1],
                "theme": request.theme.characters,
                "acrostic": request.acrostic,
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
        request.task.report.text("\n".join(lines), index)
