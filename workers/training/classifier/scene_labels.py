"""What the scene classifier learns to name: a scene from the title, tags from everything a row says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from workers.training.common.data import Painting
from workers.training.matcher.captions import is_view

_TITLES = {
    "winter": r"winter|snow|snowy|snowfall|snow-?covered|snowstorm|frost|hoarfrost|frozen",
    "sea": r"sea|seas|seascape|seashore|seaside|ocean|waves?|surf|beach(es)?|seacoast|shipwreck|etretat|"
    r"pourville|belle ile|antibes|trouville|sainte adresse|black sea|marine|cliffs?",
    "mountain": r"mountains?|mount|himalayas?|himalayan|alps|alpine|peaks?|summit|everest|kanchenjunga|"
    r"glaciers?|matterhorn|sierra|caucasus|sainte victoire|fuji",
    "forest": r"forests?|woods?|woodland|grove|birch(es)?|pines?|oaks?|undergrowth|thicket|poplars",
    "night": r"nights?|nocturne|moon|moonlight|moonlit|moonrise|starry|stars",
    "field": r"fields?|meadows?|wheat|wheatfields?|wheatstacks?|haystacks?|grainstacks?|harvest|plains?|"
    r"pasture|farmland|corn|cornfield|haymaking|steppe|prairie|ploughed|rye|heath",
    "garden": r"gardens?|flowers?|flowering|orchards?|blossoms?|blossoming|roses|"
    r"bloom|blooming|irises|lilacs?",
    "city": r"streets?|rue|boulevard|avenue|square|city|town|piazza|market|quai|montmartre|opera|roofs|"
    r"rooftops|cathedral|palace",
}
_MEANS = {name: re.compile(rf"\b({words})\b", re.IGNORECASE) for name, words in _TITLES.items()}
SCENES = tuple(_TITLES)
"""The eight scenes. Rivers and lakes are not among them: taken for seas, towns and gardens, they were
recognised in one real painting of eight. They are tags, as all other words."""
UNKNOWN = -1
_FEWEST = 40
"""A tag that fewer training rows carry is left out; not tuned."""
_STOP = re.compile(r"the|of|an?|in|at|on|and|with|from|to|by|l[ea]s?|d[eu]|des|near|view|landscape")


def scene_of(painting: Painting) -> int:
    """Which of SCENES the title names, or UNKNOWN when it names none or several."""
    if not is_view(painting):
        return UNKNOWN
    found = {name for name in SCENES if _MEANS[name].search(painting.title)}
    # Snow and the night change a whole picture, whatever else is in it.
    if outweighing := found & {"winter", "night"}:
        found = outweighing
    elif painting.genre == "cityscape":
        # A city by the sea or a mountain town is either: no label.
        found = found | {"city"}
    return SCENES.index(found.pop()) if len(found) == 1 else UNKNOWN


def tags_of(painting: Painting) -> set[str]:
    """Everything the row says: words of the title, and its artist, styles and genre."""
    words = {word for word in re.findall(r"[a-z]{2,}", painting.title.lower()) if not _STOP.fullmatch(word)}
    words |= {f"style:{style}" for style in painting.style.split("|") if style}
    words |= {f"artist:{painting.artist}"} if painting.artist else set()
    return words | ({f"genre:{painting.genre}"} if painting.genre else set())


def tag_table(
    rows: Sequence[Painting], training: npt.NDArray[np.bool_]
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Tags that enough training rows carry, in order, and the multi-hot table (N, T)."""
    of_rows = [tags_of(row) for row in rows]
    counts = Counter(tag for tags, counted in zip(of_rows, training, strict=True) if counted for tag in tags)
    names = tuple(sorted(tag for tag, count in counts.items() if count >= _FEWEST))
    index = {tag: number for number, tag in enumerate(names)}
    table = np.zeros((len(rows), len(names)), np.float32)
    for number, tags in enumerate(of_rows):
        table[number, [index[tag] for tag in tags if tag in index]] = 1
    return names, table
