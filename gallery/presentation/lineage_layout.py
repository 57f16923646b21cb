"""Layout of a family tree: a row for each generation, and the lines between parents and children.

Lengths are in px of the drawing. Nothing here reads the database: it lays out a
:class:`gallery.selectors.lineage.Graph`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gallery.selectors.lineage import Edge, Graph, Node

SIDE = 96
"""A work is drawn in a square of this side."""
CAPTION = 22
GAP = 28
BETWEEN = 66
"""From the caption of one generation to the pictures of the next."""
PASSAGE = 12
"""The breadth that a line takes in a generation that it passes."""
MARGIN = 14
LABEL_AT = (0.36, 0.52, 0.24, 0.66, 0.8)
"""How far along a line its label may stand, the best first: nearer to the parent, where no lines have met."""
LABEL = (84, 15)
"""The room of a label: "its picture", or a parent's share."""


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A work and the left upper corner of its square."""

    node: Node
    x: int
    y: int

    @property
    def here(self) -> bool:
        """Whether it is the work in the middle."""
        return self.node.level == 0

    @property
    def middle(self) -> int:
        """The middle of the square, from the left."""
        return self.x + SIDE // 2

    @property
    def centre(self) -> int:
        """The middle of the square, from above."""
        return self.y + SIDE // 2

    @property
    def caption(self) -> int:
        """The base line of the words below it."""
        return self.y + SIDE + 16


@dataclass(frozen=True, slots=True)
class EdgeLine:
    """A line from a parent to a child as the ``d`` of an SVG path, and where its label stands."""

    edge: Edge
    path: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Tree:
    """The whole drawing. ``left_out``: works that were found and are not in it."""

    width: int
    height: int
    spots: tuple[PlacedNode, ...]
    lines: tuple[EdgeLine, ...]
    left_out: int
    side: int = SIDE

    @property
    def has_ancestors(self) -> bool:
        """Whether anything is above."""
        return any(spot.node.level < 0 for spot in self.spots)

    @property
    def has_descendants(self) -> bool:
        """Whether anything is below."""
        return any(spot.node.level > 0 for spot in self.spots)


def family_tree(graph: Graph) -> Tree | None:
    """The drawing of ``graph``; None when the work is alone.

    Layers as Sugiyama et al. (1981) draw them: a line that passes a generation gets a place of its own in
    it, and every generation is ordered by the mean place of what it is tied to nearer to the middle.
    """
    if len(graph.nodes) < 2:
        return None
    level_of = _generations(graph)
    chains = {edge: _chain(edge, level_of) for edge in graph.edges}
    ties: dict[_Key, set[_Key]] = defaultdict(set)
    for chain in chains.values():
        for above, below in pairwise(chain):
            ties[above].add(below)
            ties[below].add(above)
    rows: dict[int, list[_Key]] = defaultdict(list)
    for node in graph.nodes:
        rows[level_of[node.key]].append((node.key, None))
    for edge, chain in chains.items():
        for step, passage in enumerate(chain[1:-1], 1):
            rows[level_of[edge.parent] + step].append(passage)

    breadths = {level: sum(_breadth(key) + GAP for key in row) - GAP for level, row in rows.items()}
    width = 2 * MARGIN + max(breadths.values())
    top = min(rows)
    middles: dict[_Key, int] = {}
    tops = {level: MARGIN + (level - top) * (SIDE + CAPTION + BETWEEN) for level in rows}
    # From the middle outwards: the neighbours that are nearer to it are placed already.
    for level in sorted(rows, key=abs):
        left = (width - breadths[level]) // 2
        for key in sorted(rows[level], key=lambda key: _mean_neighbour(ties[key], middles)):
            middles[key] = left + _breadth(key) // 2
            left += _breadth(key) + GAP
    spots = tuple(
        PlacedNode(node, middles[node.key, None] - SIDE // 2, tops[level_of[node.key]])
        for node in graph.nodes
    )
    lines: list[EdgeLine] = []
    for edge, chain in chains.items():
        row = level_of[edge.parent]
        lines.append(
            _line(edge, [middles[key] for key in chain], [tops[row + n] for n in range(len(chain))], lines)
        )
    height = max(tops.values()) + SIDE + CAPTION + MARGIN
    return Tree(width, height, spots, tuple(lines), graph.left_out)


_Key = tuple[str, Edge | None]
"""A place in a row: (key of a node, None), or (number of the step, the line that passes here)."""


def _chain(edge: Edge, level_of: dict[str, int]) -> list[_Key]:
    """The places of a line, from the parent through the generations between to the child."""
    between = range(1, level_of[edge.child] - level_of[edge.parent])
    return [(edge.parent, None), *((str(step), edge) for step in between), (edge.child, None)]


def _breadth(key: _Key) -> int:
    return SIDE if key[1] is None else PASSAGE


def _mean_neighbour(tied: set[_Key], middles: dict[_Key, int]) -> float:
    """The mean x of those neighbours that are placed already (the barycentre of Sugiyama et al.), else 0."""
    wanted = [middles[key] for key in tied if key in middles]
    return sum(wanted) / len(wanted) if wanted else 0.0


def _generations(graph: Graph) -> dict[str, int]:
    """Key -> the row of a node: parents always stand above their children.

    The graph counts the shortest way from the middle; one that is parent and grandparent at once needs
    the longest. Works are made after their parents, so there are no circles, and the passes end.
    """
    level = {node.key: node.level for node in graph.nodes}
    for _pass in graph.nodes:
        before = dict(level)
        for edge in graph.edges:
            if level[edge.child] <= 0:
                level[edge.parent] = min(level[edge.parent], level[edge.child] - 1)
            elif level[edge.parent] >= 0:
                level[edge.child] = max(level[edge.child], level[edge.parent] + 1)
        if level == before:
            break
    return level


def _line(edge: Edge, middles: list[int], tops: list[int], others: Sequence[EdgeLine]) -> EdgeLine:
    """A line through places at ``middles`` in rows at ``tops``.

    Its label lies on the first stretch, where it covers those of the ``others`` least.
    """
    path = ""
    label = (0, 0)
    for (left, above), (right, below) in pairwise(zip(middles, tops, strict=True)):
        start, end = above + SIDE + CAPTION, below
        bend = (end - start) // 2
        if path:
            # Through the row that it passes.
            path += f"V{start}"
        else:
            path = f"M{left} {start}"
            curve = (left, start), (left, start + bend), (right, end - bend), (right, end)
            places = [_on_curve(at, *curve) for at in LABEL_AT]
            label = min(places, key=lambda place: sum(_covered(place, (one.x, one.y)) for one in others))
        path += f"C{left} {start + bend} {right} {end - bend} {right} {end}"
    return EdgeLine(edge, path, *label)


def _covered(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Square px in which two labels lie on each other."""
    across, down = (max(0, side - abs(a - b)) for side, a, b in zip(LABEL, one, other, strict=True))
    return across * down


def _on_curve(t: float, *points: tuple[int, int]) -> tuple[int, int]:
    """The place at ``t`` in [0, 1] on a cubic Bezier curve of four points."""
    shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (sum(s * point[axis] for s, point in zip(shares, points, strict=True)) for axis in (0, 1))
    return round(x), round(y)
