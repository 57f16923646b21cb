"""The rules of regulated verse: forms, tonal patterns, rhyme slots. Plain Python, no torch.

Source of the patterns: the four standard schemes of each length (平起/仄起 x 首句入韵/不入韵), with the
freedoms of practice ("one, three and five do not matter") except where they would give a lone
level tone (孤平) or three level or three oblique tones at the end of a line (三平尾, 三仄尾).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ANY, LEVEL, OBLIQUE, RHYME = 1, 2, 3, 4
"""What a slot asks for; RHYME is a level tone that rhymes. 0 is kept for "no pattern known"."""

CODES = 5
"""How many different slot codes there are, 0 included."""

TONE_UNKNOWN, TONE_LEVEL, TONE_OBLIQUE, TONE_BOTH = 0, 1, 2, 3
"""Tone classes of a character."""


@dataclass(frozen=True, slots=True)
class Form:
    """A poem's shape: ``lines`` lines of ``length`` characters each."""

    slug: str
    chinese: str
    lines: int
    length: int

    @property
    def slots(self) -> int:
        return self.lines * self.length


FORMS = (
    Form("5jueju", "五言绝句", 4, 5),
    Form("7jueju", "七言绝句", 4, 7),
    Form("5lvshi", "五言律诗", 8, 5),
    Form("7lvshi", "七言律诗", 8, 7),
)
FORM_BY_SLUG = {form.slug: form for form in FORMS}
MAX_SLOTS = 56

COUPLETS = {5: Form("couplet5", "五言对联", 2, 5), 7: Form("couplet7", "七言对联", 2, 7)}
"""Couplets by length: two parallel lines without a rhyme, of opposite tones."""


def network_number(form: Form) -> int:
    """The number of ``form`` among :data:`FORMS`; a couplet is read as the opening of a quatrain."""
    return next(
        i for i, one in enumerate(FORMS) if one == form or (form.lines == 2 and one.length == form.length)
    )


# The four kinds of line, as the last five characters; * is free.
_LINES = {
    "a": (ANY, OBLIQUE, ANY, LEVEL, OBLIQUE),
    "b": (LEVEL, LEVEL, ANY, OBLIQUE, RHYME),  # the first stays level: no lone level tone
    "c": (ANY, LEVEL, LEVEL, OBLIQUE, OBLIQUE),  # the third stays level: not three oblique at the end
    "d": (ANY, OBLIQUE, OBLIQUE, LEVEL, RHYME),  # the third stays oblique: not three level at the end
}
_OPENING = {"a": (ANY, LEVEL), "b": (ANY, OBLIQUE), "c": (ANY, OBLIQUE), "d": (ANY, LEVEL)}

# Where the second half of a doubled character (萧萧) may stand: both halves lie in one foot.
DOUBLE = {5: (1, 4), 7: (1, 3, 6)}

PARALLEL_BELOW = {2: (1,), 8: (3, 5)}
"""Lines that must be parallel to the line before, by how many lines the form has."""

PATTERNS = ("仄起首句不入韵", "平起首句不入韵", "仄起首句入韵", "平起首句入韵")
"""Names of the schemes for five characters; for seven the opening tone is the other one."""
_SCHEMES = ("abcdabcd", "cdabcdab", "dbcdabcd", "bdabcdab")


def pattern_name(form: Form, pattern: int) -> str:
    """The scheme's usual name, e.g. ``平起首句入韵``. ``pattern`` in 1..4."""
    name = PATTERNS[pattern - 1]
    if form.length == 7:
        name = ("平" if name[0] == "仄" else "仄") + name[1:]
    return name


def slot_codes(form: Form, pattern: int, given: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """What each character of the poem must be: ``form.slots`` codes. Pattern 0 asks nothing (all 0).

    ``given``: tone classes of characters that stand already, by slot. Where one is oblique in the place
    that keeps a level tone from being alone, the second next takes over the level tone (拗救).
    """
    if pattern == 0:
        return (0,) * form.slots
    codes: list[int] = []
    for number, kind in enumerate(_SCHEMES[pattern - 1][: form.lines]):
        line = list(_OPENING[kind] if form.length == 7 else ()) + list(_LINES[kind])
        first = form.length - 5
        tone = (given or {}).get(number * form.length + first, TONE_UNKNOWN)
        if kind == "b" and not tone_fits(tone, line[first]):
            line[first], line[first + 2] = ANY, LEVEL
        codes += line
    return tuple(codes)


def answer_codes(line: Sequence[int]) -> tuple[int, ...]:
    """What the other line of a couplet must be: opposite where tones are heard, the last included.

    ``line``: tone classes of the given line. A tone that is unknown, or both, asks for nothing.
    """
    opposite = {TONE_LEVEL: OBLIQUE, TONE_OBLIQUE: LEVEL}
    heard = {*range(1, len(line) - 1, 2), len(line) - 1}
    return tuple(opposite.get(tone, ANY) if i in heard else ANY for i, tone in enumerate(line))


def tone_breaches(tones: Mapping[int, int], codes: Sequence[int]) -> list[int]:
    """The slots whose character has another tone than its code asks for. ``tones``: classes by slot."""
    return [slot for slot, tone in sorted(tones.items()) if not tone_fits(tone, codes[slot])]


def repeats(text: str, length: int) -> list[int]:
    """The slots of characters that stood before, those doubled within a foot (萧萧) left out."""
    found, seen = [], set()
    for slot, character in enumerate(text):
        doubled = slot and text[slot - 1] == character and slot % length in DOUBLE[length]
        if character in seen and not doubled:
            found.append(slot)
        seen.add(character)
    return found


def pair_codes(codes: Sequence[int]) -> tuple[int, ...]:
    """Each slot's code joined with its successor's: ``code * CODES + next``, an input of the network."""
    following = [*codes[1:], 0]
    return tuple(code * CODES + after for code, after in zip(codes, following, strict=True))


def tone_fits(tone: int, code: int) -> bool:
    """Whether a character of class ``tone`` may stand in a slot; unknown tones fit everywhere."""
    if code in (0, ANY) or tone in (TONE_UNKNOWN, TONE_BOTH):
        return True
    return (tone == TONE_OBLIQUE) == (code == OBLIQUE)


def rhyme_slots(form: Form, pattern: int) -> tuple[int, ...]:
    """Where the rhymes stand, as indices of characters."""
    return tuple(i for i, code in enumerate(slot_codes(form, pattern)) if code == RHYME)
