"""Where the works of a family stand when it is drawn: rows of generations, and lines between them.

Lengths are in px of the drawing. Nothing here reads the database: it lays out a
:class:`gallery.lineage.Graph`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gallery.lineage import Edge, Graph, Node

SIDE = 96
"""A work is drawn in a square of this side."""
CAPTION = 22
GAP = 28
BETWEEN = 66
"""From the caption of one generation to the pictures of the next."""
MARGIN = 14
LABEL_AT = 0.36
"""How far along a line its label stands: nearer to the parent, where lines have not met yet."""


@dataclass(frozen=True, slots=True)
class Spot:
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
class Line:
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
    spots: tuple[Spot, ...]
    lines: tuple[Line, ...]
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

    A generation is ordered by the mean place of its relatives in the generation nearer to the middle
    (the barycenter heuristic of Sugiyama et al., 1981), so that few lines cross.
    """
    if len(graph.nodes) < 2:
        return None
    level_of = _generations(graph)
    rows: dict[int, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        rows[level_of[node.key]].append(node)
    broadest = max(len(row) for row in rows.values())
    width = 2 * MARGIN + broadest * SIDE + (broadest - 1) * GAP
    levels = sorted(rows)
    spots: dict[str, Spot] = {}
    # From the middle outwards: those who are nearer have their places already.
    for level in sorted(levels, key=abs):
        row = sorted(rows[level], key=lambda node: _pull(node, graph, spots))
        left = (width - len(row) * SIDE - (len(row) - 1) * GAP) // 2
        y = MARGIN + (level - levels[0]) * (SIDE + CAPTION + BETWEEN)
        for place, node in enumerate(row):
            spots[node.key] = Spot(node, left + place * (SIDE + GAP), y)
    height = 2 * MARGIN + len(levels) * (SIDE + CAPTION) + (len(levels) - 1) * BETWEEN
    lines = tuple(_line(edge, spots[edge.parent], spots[edge.child]) for edge in graph.edges)
    return Tree(width, height, tuple(spots[node.key] for node in graph.nodes), lines, graph.left_out)


def _generations(graph: Graph) -> dict[str, int]:
    """Key -> the row of a node: parents always stand above their children.

    The graph counts the shortest way from the middle; somebody who is parent and grandparent at once needs
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


def _pull(node: Node, graph: Graph, spots: dict[str, Spot]) -> float:
    """Where the relatives that have a place would like ``node`` to be."""
    wanted = [
        spots[other].middle
        for edge in graph.edges
        for one, other in ((edge.parent, edge.child), (edge.child, edge.parent))
        if one == node.key and other in spots
    ]
    return sum(wanted) / len(wanted) if wanted else 0.0


def _line(edge: Edge, parent: Spot, child: Spot) -> Line:
    start, end = parent.y + SIDE + CAPTION, child.y - 3
    bend = min(BETWEEN, end - start) // 2
    points = (
        (parent.middle, start),
        (parent.middle, start + bend),
        (child.middle, end - bend),
        (child.middle, end),
    )
    t = LABEL_AT
    shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    x, y = (
        round(sum(share * point[axis] for share, point in zip(shares, points, strict=True)))
        for axis in (0, 1)
    )
    path = "M{} {}C{} {} {} {} {} {}".format(*(length for point in points for length in point))
    return Line(edge, path, x, y)
