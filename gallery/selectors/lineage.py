"""The lineage of a work as a graph: its ancestors and its descendants.

What a person may not find is not in it: an ancestor that is private (or unlisted, or was taken down) is a
stub that tells nothing but that it is there, and nothing behind it is looked at; a descendant that is not
for them is not there at all, and is not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from gallery.models import Artwork, Lineage
from gallery.permissions import Person, findable
from gallery.selectors.artworks import cards

DEPTH = 3
MOST_NODES = 60


@dataclass(frozen=True, slots=True)
class Node:
    """One work, or the stub of one (``artwork`` None, ``state`` ``deleted`` or ``private``).

    ``key`` names the node in this graph only: a stub's says nothing about the work. ``level`` is 0 for the
    work in the middle, negative for ancestors (-1: its parents), positive for descendants.
    """

    key: str
    state: Literal["visible", "deleted", "private"]
    level: int
    artwork: Artwork | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """``parent`` and ``child`` are keys of nodes; ``weight`` is a share in [0, 1] or None."""

    parent: str
    child: str
    relation: str
    weight: float | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes from the oldest level to the youngest, and the edges between them.

    ``left_out``: how many more works were found beside those that are shown.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int = 0


def lineage_graph(person: Person, artwork: Artwork, depth: int = DEPTH, most: int = MOST_NODES) -> Graph:
    """The ancestors and descendants of ``artwork`` up to ``depth`` levels away, at most ``most`` nodes.

    The caller has asked ``can_view`` for ``artwork`` already. Two queries for each level, one more for the
    edges, however many works there are. Half of the room is the ancestors'.
    """
    walk = _Walk(person, artwork)
    half = max(1, (most - 1) // 2)
    frontier: Collection[UUID] = [artwork.pk]
    for level in range(-1, -depth - 1, -1):
        frontier = walk.up(frontier, level, 1 + half)
    frontier = [artwork.pk]
    for level in range(1, depth + 1):
        frontier = walk.down(frontier, level, most)
    return walk.graph()


class _Walk:
    """What was found so far, level by level."""

    def __init__(self, person: Person, artwork: Artwork) -> None:
        self._person = person
        self._works = {artwork.pk: Node(str(artwork.pk), "visible", 0, artwork)}
        self._stubs: list[Node] = []
        self._stub_edges: list[Edge] = []
        self._left_out = 0

    def up(self, children: Collection[UUID], level: int, most: int) -> Collection[UUID]:
        """Take the parents of ``children``; the works among them that were not known yet."""
        if not children:
            return []
        edges = list(Lineage.objects.filter(child_id__in=children).order_by("pk"))
        wanted = {edge.parent_id for edge in edges if edge.parent_id is not None} - set(self._works)
        seen = {one.pk: one for one in findable(self._person, cards(Artwork.objects.filter(pk__in=wanted)))}
        for edge in edges:
            if edge.parent_id in seen or edge.parent_id in self._works:
                continue
            if self._size >= most:
                self._left_out += 1
                continue
            stub = Node(f"stub-{len(self._stubs)}", "private" if edge.parent_id else "deleted", level)
            self._stubs.append(stub)
            self._stub_edges.append(Edge(stub.key, str(edge.child_id), edge.relation, edge.weight))
        return self._take(sorted(seen.values(), key=_newest, reverse=True), level, most, len(seen))

    def down(self, parents: Collection[UUID], level: int, most: int) -> Collection[UUID]:
        """Take the children of ``parents`` that may be found and were not known yet."""
        if not parents:
            return []
        ids = Lineage.objects.filter(parent_id__in=parents).values("child_id")
        found = findable(self._person, Artwork.objects.filter(pk__in=ids)).exclude(pk__in=self._works)
        newest = list(cards(found).order_by("-created_at", "-id")[: max(0, most - self._size) + 1])
        more = len(newest) > most - self._size
        return self._take(newest, level, most, found.count() if more else len(newest))

    def graph(self) -> Graph:
        """Everything that was taken, with the edges between the works."""
        among = Lineage.objects.filter(child_id__in=self._works, parent_id__in=self._works).order_by("pk")
        edges = [Edge(str(edge.parent_id), str(edge.child_id), edge.relation, edge.weight) for edge in among]
        nodes = sorted([*self._works.values(), *self._stubs], key=lambda node: node.level)
        return Graph(tuple(nodes), (*edges, *self._stub_edges), self._left_out)

    @property
    def _size(self) -> int:
        return len(self._works) + len(self._stubs)

    def _take(self, works: Iterable[Artwork], level: int, most: int, found: int) -> list[UUID]:
        taken = list(works)[: max(0, most - self._size)]
        self._works |= {one.pk: Node(str(one.pk), "visible", level, one) for one in taken}
        self._left_out += found - len(taken)
        return [one.pk for one in taken]


def _newest(artwork: Artwork) -> tuple[object, UUID]:
    return artwork.created_at, artwork.pk
