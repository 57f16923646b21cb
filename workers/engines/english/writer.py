"""What the engine needs of English verse: wishes in, drafts written, printed lines out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workers import weights
from workers.engines.base import InvalidRequest, Poem
from workers.engines.bloom import BloomFilter
from workers.engines.english.decoding import Composer
from workers.engines.english.forms import FORM_BY_SLUG, UNRHYMED
from workers.engines.english.lexicon import FIRST_MARK, FIRST_WORD, MARKS, Lexicon, unpacked
from workers.engines.english.lines import DeadEnd, Draft
from workers.nets.lyricist import Lyricist, LyricistConfig

NAME = "verse-english"
THEME_WORDS = 8
LONGEST_PROMPT = 2000
"""Characters of a prompt that are read for its theme."""

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_PIECE = re.compile(r"'?[a-z]+(?:'[a-z]+)*|[,;:.!?]")
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


class EnglishWriter:
    """Writes English poems whose syllables, beats and rhymes hold by construction.

    Raises :class:`workers.weights.WeightsError` when the weights are missing or damaged.
    """

    def __init__(self, device: torch.device, name: str = NAME) -> None:
        loaded = weights.load(name)
        self.digest, config = loaded.digest, loaded.card["config"]
        try:
            known = BloomFilter(loaded.tensors.pop("known_lines").numpy().tobytes())
            topics = loaded.tensors.pop("topics")
            self.lexicon = Lexicon(unpacked(loaded.tensors.pop("lexicon")))
            self.authors = [str(author) for author in config["authors_named"]]
            model = Lyricist(LyricistConfig.from_dict(config))
            model.load_state_dict(loaded.tensors)
            if not len(self.lexicon.words) == model.config.vocabulary == len(topics):
                raise ValueError(f"{len(self.lexicon.words)} words for {model.config.vocabulary} rows")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: {error}") from error
        self.composer = Composer(
            model.to(device).eval().requires_grad_(False), self.lexicon, topics, known, device
        )

    def understand(self, prompt: str) -> Theme:
        """The words of sense of an English prompt; a form that the model lacks is taken by its stem."""
        found: list[int] = []
        unknown: list[str] = []
        for word in _WORD.findall(prompt[:LONGEST_PROMPT].lower().replace("’", "'")):
            token = self._token(word)
            if token is None:
                unknown += [word] if word not in unknown else []
            elif not self.lexicon.weak[token] and token not in found:
                found.append(token)
        return Theme(tuple(found[:THEME_WORDS]), tuple(unknown[:THEME_WORDS]))

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
        theme: Sequence[int] = (),
        author: str = "",
        acrostic: str = "",
        temperature: float = 1.0,
        given: Mapping[int, str] | None = None,
    ) -> Draft:
        """A poem to be written. Raises InvalidRequest for wishes that no poem can keep.

        ``given``: of some lines (numbers from 0) the text or its end, to which the poem keeps: a locked
        line, or the words that follow one that is to be chosen again.
        """
        chosen = FORM_BY_SLUG.get(form)
        if chosen is None:
            forms = ", ".join(FORM_BY_SLUG)
            raise InvalidRequest(f"form {form!r}", visitor=f"The form must be one of {forms}.")
        if author and author not in self.authors:
            raise InvalidRequest(f"author {author!r}", visitor="The studio does not know this poet's manner.")
        number = 1 + self.authors.index(author) if author else 0
        letters = initials(acrostic, chosen.lines)
        kept = {line: self._given(text) for line, text in (given or {}).items() if text.strip()}
        if not set(kept) <= set(range(chosen.lines)):
            raise InvalidRequest(f"lines {sorted(kept)}", visitor=f"This form has {chosen.lines} lines.")
        draft = Draft(chosen, tuple(theme), number, letters, temperature, generator, kept)
        try:
            self.composer.planner.check(draft)
        except DeadEnd as error:
            letter = draft.letter(error.line).upper()
            if draft.given:
                raise InvalidRequest(
                    str(error),
                    visitor="The lines that are kept do not agree with the form, with each other or with the "
                    f"acrostic: line {error.line + 1} cannot be written.",
                ) from error
            raise InvalidRequest(
                str(error),
                visitor=f"The studio knows no line of this form that begins with “{letter}”.",
            ) from error
        return draft

    def _given(self, text: str) -> list[int]:
        """The tokens of a kept line, a mark at its end. Raises InvalidRequest for words nobody can count."""
        tokens: list[int] = []
        for piece in _PIECE.findall(text.lower().replace("’", "'")):
            if piece in MARKS:
                tokens.append(FIRST_MARK + MARKS.index(piece))
            elif piece in self.lexicon.index:
                tokens.append(self.lexicon.index[piece])
            else:
                raise InvalidRequest(
                    f"unknown word {piece!r}", visitor=f"The studio cannot pronounce “{piece}”."
                )
        if not any(token >= FIRST_WORD for token in tokens):
            raise InvalidRequest(
                f"no words in {text[:40]!r}", visitor="A line that is kept needs English words."
            )
        return tokens if tokens[-1] < FIRST_WORD else [*tokens, FIRST_MARK]

    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Write drafts of one form; yields after every line with how many are finished."""
        return self.composer.write(drafts)

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
        # The first letter, which may follow an apostrophe.
        return re.sub(r"[A-Za-z]", lambda found: found[0].upper(), text, count=1)

    def poem(self, draft: Draft, title: str = "") -> Poem:
        """The finished poem. Its title is its first line where none is given.

        Details: ``form``, ``form_name``, ``language``, ``scheme`` (a letter per line), ``stanzas``,
        ``author``, ``acrostic``, ``theme``, ``stresses`` (per line, per word of it, a digit per syllable) and
        ``choices`` (per line, per word or mark of it, the likeliest as [word, probability]).
        """
        lines = self.lines(draft)
        details: dict[str, Any] = {
            "form": draft.form.slug,
            "form_name": draft.form.name,
            "language": "en",
            "scheme": draft.form.scheme,
            "stanzas": list(draft.form.stanzas),
            "author": self.authors[draft.author - 1] if draft.author else "",
            "acrostic": draft.acrostic,
            "choices": [
                [[[self.lexicon.printed[token], share] for token, share in choice] for choice in line]
                for line in draft.choices
            ],
            "theme": [self.lexicon.words[token] for token in draft.theme],
            "stresses": [
                [self.lexicon.stresses[token] for token in tokens if token >= FIRST_WORD]
                for tokens in draft.tokens
            ],
        }
        return Poem(lines, title or lines[0].rstrip("".join(MARKS)), details)


def initials(acrostic: str, lines: int) -> str:
    """The letters of an acrostic, without spaces and punctuation. Raises InvalidRequest."""
    strange = sorted({c for c in acrostic if c.isalnum() and not (c.isascii() and c.isalpha())})
    if strange:
        raise InvalidRequest(
            f"acrostic with {strange[:5]}",
            visitor="An English acrostic is made of the letters A to Z.",
        )
    letters = "".join(c for c in acrostic if c.isascii() and c.isalpha()).upper()
    if len(letters) > lines:
        raise InvalidRequest(
            f"acrostic of {len(letters)} letters for {lines} lines",
            visitor=f"This form has {lines} lines: the acrostic can have {lines} letters at most.",
        )
    return letters


def rhyme_groups(scheme: str) -> list[list[int]]:
    """The lines of each rhyme of a scheme, in order of first appearance."""
    return [
        [i for i, other in enumerate(scheme) if other == letter]
        for letter in dict.fromkeys(scheme)
        if letter != UNRHYMED
    ]
