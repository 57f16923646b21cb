"""The model of English verse: themes understood, drafts planned and written, lines printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from workers import weights
from workers.engines.base import InvalidRequest
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english import request
from workers.engines.poetry.english.annotation import capitalised
from workers.engines.poetry.english.decoding import EnglishDecoder
from workers.engines.poetry.english.lexicon import FIRST_MARK, FIRST_WORD, MARKS, Lexicon, unpack_columns
from workers.engines.poetry.english.planning import THEME_WORDS, DeadEnd, Draft
from workers.engines.poetry.english.request import Given
from workers.engines.poetry.english.themes import Mention, mentions, unknown_of
from workers.nets.english_verse_lstm import EnglishVerseLSTM, EnglishVerseLSTMConfig

NAME = "verse-english"

_SHORT_PAST = re.compile(r"'d$")
_ENDINGS = (
    ("'s", ""),
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
)


@dataclass(frozen=True, slots=True)
class Theme:
    """``tokens``: the words of a prompt that the model knows; ``unknown``: those that it does not."""

    tokens: tuple[int, ...]
    unknown: tuple[str, ...]


class EnglishVerseModel:
    """Writes English poems whose syllables, beats and rhymes hold by construction.

    Raises :class:`workers.weights.WeightsError` when the weights are missing or damaged.
    """

    def __init__(self, device: torch.device, name: str = NAME) -> None:
        loaded = weights.load(name)
        self.name, self.digest, config = str(loaded.card["name"]), loaded.digest, loaded.card["config"]
        try:
            known = BloomFilter(loaded.tensors.pop("known_lines").numpy().tobytes())
            topics = loaded.tensors.pop("topics")
            self.lexicon = Lexicon(unpack_columns(loaded.tensors.pop("lexicon")))
            self.authors = [str(author) for author in config["authors_named"]]
            model = EnglishVerseLSTM(EnglishVerseLSTMConfig.from_dict(config))
            model.load_state_dict(loaded.tensors)
            if len(self.authors) >= model.config.authors:
                raise ValueError(f"{len(self.authors)} authors for {model.config.authors} rows")
            if not len(self.lexicon.words) == model.config.vocabulary == len(topics):
                raise ValueError(f"{len(self.lexicon.words)} words for {model.config.vocabulary} rows")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: {error}") from error
        self.decoder = EnglishDecoder(
            model.to(device).eval().requires_grad_(False), self.lexicon, topics, known, device
        )

    def understand(self, prompt: str) -> Theme:
        """The content words of a prompt in English, Chinese or emoji."""
        return self.theme(mentions(prompt))

    def theme(self, named: Iterable[Mention]) -> Theme:
        """The words of ``named`` that the vocabulary has, or those of their stems."""
        found: dict[int, None] = {}
        understood: set[str] = set()
        strange: list[str] = []
        for mention in named:
            token = next((t for word in mention.words if (t := self._token(word)) is not None), None)
            if token is None:
                strange.append(mention.text)
                continue
            understood.add(mention.text)
            if not self.lexicon.weak[token]:
                found[token] = None
        unknown = unknown_of([text for text in strange if text not in understood])
        return Theme(tuple(found)[:THEME_WORDS], unknown)

    def _token(self, word: str) -> int | None:
        index = self.lexicon.index
        if word in index:
            return index[word]
        for ending, instead in _ENDINGS:
            stem = word.removesuffix(ending) + instead
            if word.endswith(ending) and len(stem) > 2 and stem in index:
                return index[stem]
        return None

    def draft(
        self,
        form: str,
        generator: torch.Generator,
        *,
        temperature: float,
        theme: Sequence[int] = (),
        author: str = "",
        acrostic: str = "",
        given: Mapping[int, str | Given] | None = None,
    ) -> Draft:
        """A poem to be written. Raises InvalidRequest for what no poem can keep.

        ``given``: of some lines (numbers from 0) the words, or the text of its end, to which the poem keeps:
        a locked line, or the words that follow one that is to be chosen again.
        """
        chosen = request.form_of(form)
        if author and author not in self.authors:
            raise InvalidRequest(f"author {author!r}", visitor="The studio does not know this poet's manner.")
        number = 1 + self.authors.index(author) if author else 0
        letters = request.initials(acrostic, chosen.lines)
        kept = {
            line: text if isinstance(text, Given) else Given(tuple(request.pieces(text)))
            for line, text in (given or {}).items()
        }
        if not set(kept) <= set(range(chosen.lines)):
            raise InvalidRequest(f"lines {sorted(kept)}", visitor=f"This form has {chosen.lines} lines.")
        draft = Draft(
            chosen,
            tuple(theme),
            number,
            letters,
            temperature,
            generator,
            {line: self._given(one.pieces) for line, one in kept.items() if one.pieces},
            frozenset(line for line, one in kept.items() if one.whole),
        )
        try:
            self.decoder.planner.check(draft)
        except DeadEnd as end:
            raise InvalidRequest(str(end), visitor=self._reason(draft, end), code="bad_draft") from end
        return draft

    def _given(self, pieces: Sequence[str]) -> list[int]:
        """The tokens of a kept line, a mark at its end. Raises InvalidRequest for unpronounceable words."""
        tokens: list[int] = []
        for piece in pieces:
            if piece in MARKS:
                tokens.append(FIRST_MARK + MARKS.index(piece))
                continue
            spellings = (piece, piece.rstrip("'"), piece.strip("'"), _SHORT_PAST.sub("ed", piece))
            token = next((t for word in spellings if (t := self.lexicon.index.get(word)) is not None), None)
            if token is None or not int(self.lexicon.syllables[token]):
                sentence = f"The studio does not know how to pronounce “{piece[:40]}”."
                raise InvalidRequest(f"unknown word {piece[:40]!r}", visitor=sentence, code="bad_draft")
            tokens.append(token)
        return tokens if tokens[-1] < FIRST_WORD else [*tokens, FIRST_MARK]

    def _reason(self, draft: Draft, end: DeadEnd) -> str:
        """Why a poem cannot be written, in a sentence for whoever asked for it."""
        line, letter = end.line + 1, draft.letter(end.line).upper()
        last = draft.ends().get(end.line, -1)
        word = self.lexicon.printed[last] if last >= 0 else ""
        wanted = len(draft.form.templates[end.line])
        return {
            "syllables": f"Line {line} of the draft has {end.count} syllables; the form has {wanted} there."
            + (" Begin it with _ to have the rest written." if end.count < wanted else ""),
            "beats": f"“{self.lexicon.printed[end.token]}” does not fall on the beats of line {line}.",
            "letter": f"Line {line} should begin with “{letter}”, but what is kept of it leaves no room."
            if end.line in draft.given
            else f"The studio knows no line of this form that begins with “{letter}”.",
            "rhyme": f"Line {line} should rhyme with line {end.other + 1} in this form.",
            "echo": f"Lines {end.other + 1} and {line} end on the same sound; a rhyme needs two.",
            "answers": f"The studio knows too few rhymes for “{word}”, the end of line {line}.",
        }.get(end.why, f"Line {line} cannot be written as the draft, the acrostic and the form ask for it.")

    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Write drafts of one form; yields after every word with how many syllables are written."""
        return self.decoder.write(drafts)

    def lines(self, draft: Draft) -> tuple[str, ...]:
        """The finished lines as they are printed."""
        return tuple(self._printed(tokens) for tokens in draft.tokens)

    def _printed(self, tokens: Sequence[int]) -> str:
        text = ""
        for token in tokens:
            if token >= FIRST_WORD:
                text += " " * bool(text) + self.lexicon.printed[token]
            elif self.lexicon.words[token] != MARKS[0]:
                text += self.lexicon.words[token]
        return capitalised(text)
