"""The canonical words: every concept that a caption may hold and a painter may know.

Torch-free. A model keeps those with enough examples among its pictures and lists them in its card; terms of
English and Chinese lead to these words (``english.txt``, ``chinese.txt``).
"""

from __future__ import annotations

GROUPS: dict[str, str] = {
    "scene": """
        landscape sea city village river lake pond mountain hill valley forest tree garden park
        field meadow wheat haystack bridge beach cliff rock coast island harbour boat church house
        farm mill castle street road canal water waterlily flower poppy blossom willow poplar olive pine
        waterfall wave ice ruins temple station people sky cloud
        cathedral monastery tower palace square avenue path gate cottage orchard stream riverbank bay tide
        ship sailboat fishing cattle horse bird desert fantasy
    """,
    "place": """
        venice paris london italy holland himalaya
        seine montmartre giverny normandy rouen brittany provence spain rome naples alps austria scandinavia
        russia crimea england america newyork orient india tibet
    """,
    "season": "spring summer autumn winter snow",
    "light": "morning day evening sunset night moon sun fog rain storm calm sunrise afternoon",
    "colour": "red orange yellow green cyan blue purple pink brown white black grey",
    "tone": "dark bright warm cold vivid muted stark soft",
    "style": """
        impressionism postimpressionism romanticism symbolism artnouveau baroque realism pointillism
        ukiyoe tonalism ink cubism
    """,
    "artist": """
        monet roerich gogh aivazovsky loiseau pissarro sisley martin cezanne renoir boudin hassam
        utrillo gauguin prendergast hodler turner maufra twachtman ciurlionis korovin grimshaw
        bogaevsky sargent cole friedrich constable klimt onderdonk canaletto lebedeva somov kuindzhi
        alt bonnard sorolla springer schiele macdonald chase rose crome
        caillebotte metcalf bocklin maleas carmichael
    """,
}
"""Canonical words by group. Each has at least 24 examples among the captions of the training views
(shades and tones are measured on the pictures; poppy and olive fall short, and models leave them out)."""


def words_of(*groups: str) -> list[str]:
    """The words of ``groups`` (all groups when none is named), in their fixed order."""
    return [word for group in groups or GROUPS for word in GROUPS[group].split()]
