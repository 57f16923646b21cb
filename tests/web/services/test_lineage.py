"""The lineage: what an engine's shares become, and a graph that points nobody to what they may not find."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from PIL import Image

from gallery.models import Artwork, Job, JobState, Lineage, Moderation, User, Visibility
from gallery.selectors.artworks import parents_of
from gallery.selectors.lineage import Graph, lineage_graph
from gallery.selectors.recipes import recipe_to_repeat
from gallery.services import artworks
from gallery.services.artworks import PictureFile
from tests.web import factories

pytestmark = pytest.mark.django_db


def blend_of(person: User, *parents: Artwork, details: dict[str, Any] | None = None) -> Artwork:
    """A child as the runner leaves it."""
    job = factories.make_job(person, "blend", state=JobState.RUNNING)
    for number, parent in enumerate(parents, 1):
        factories.make_input(job, f"parent_{number}", parent)
    return child_of(job, details or {})


def child_of(job: Job, details: dict[str, Any]) -> Artwork:
    picture = PictureFile(Image.new("RGB", (8, 8)), details)
    return artworks.artworks_save(artworks.artworks_build(job, [picture]))[0]


def edges_of(child: Artwork) -> list[tuple[Any, str, float | None]]:
    return list(
        Lineage.objects.filter(child=child).order_by("pk").values_list("parent", "relation", "weight")
    )


# --- Rows -----------------------------------------------------------------------------------------


def test_parents_have_the_shares_that_the_engine_says(person: User) -> None:
    one, two = factories.make_artwork(person), factories.make_artwork(person)
    child = blend_of(person, one, two, details={"weights": {"parent_1": 0.75, "parent_2": 0.25}})
    assert edges_of(child) == [(one.pk, "parent", 0.75), (two.pk, "parent", 0.25)]
    assert [relative.weight for relative in parents_of(person, child)] == [0.75, 0.25]


def test_a_work_that_is_both_parents_has_one_edge_with_the_sum(person: User) -> None:
    both = factories.make_artwork(person)
    child = blend_of(person, both, both, details={"weights": {"parent_1": 0.5, "parent_2": 0.5}})
    assert edges_of(child) == [(both.pk, "parent", 1.0)]
    assert set(child.recipe["inputs"]) == {"parent_1", "parent_2"}


@pytest.mark.parametrize(
    "weights",
    [None, [], "much", {"parent_2": 1.0}, {"parent_1": "1"}, {"parent_1": True}, {"parent_1": -1.0}],
)
def test_shares_that_make_no_sense_are_left_out(person: User, weights: Any) -> None:
    child = blend_of(person, factories.make_artwork(person), details={"weights": weights})
    assert [edge[2] for edge in edges_of(child)] == [None]


def test_roles_become_relations(person: User) -> None:
    palette = factories.make_artwork(person)
    job = factories.make_job(person, state=JobState.RUNNING)
    factories.make_input(job, "palette", palette)
    assert edges_of(child_of(job, {})) == [(palette.pk, "palette", None)]


def test_uploads_are_no_parents_and_deleted_parents_leave_stubs(person: User) -> None:
    job = factories.make_job(person, "blend", state=JobState.RUNNING)
    gone = factories.make_artwork(person)
    factories.make_input(job, "parent_1", factories.make_upload(person))
    factories.make_input(job, "parent_2", gone)
    gone.delete()
    child = child_of(job, {"weights": {"parent_1": 0.25, "parent_2": 0.75}})
    assert edges_of(child) == [(None, "parent", 0.75)]
    assert child.recipe["inputs"]["parent_2"] == {}


def test_somebody_elses_blend_can_be_made_again_from_what_one_may_use(person: User, stranger: User) -> None:
    listed, private = factories.make_listed(person), factories.make_artwork(person)
    child = blend_of(person, private, listed)
    Artwork.objects.filter(pk=child.pk).update(visibility="public", moderation="approved")
    repeat = recipe_to_repeat(stranger, child.pk)
    assert repeat is not None
    assert repeat.inputs == {"parent_2": listed}


# --- The graph --------------------------------------------------------------------------------------


def levels(graph: Graph) -> dict[int, set[Any]]:
    """Level -> ids of the works, and the states of the stubs."""
    found: dict[int, set[Any]] = {}
    for node in graph.nodes:
        found.setdefault(node.level, set()).add(node.artwork.pk if node.artwork else node.state)
    return found


def chain(owner: User, length: int, **fields: Any) -> list[Artwork]:
    works = [factories.make_listed(owner, **fields) for _ in range(length)]
    for parent, child in itertools.pairwise(works):
        factories.make_lineage(child, parent, "parent", 0.5)
    return works


def test_a_graph_goes_three_levels_both_ways(person: User) -> None:
    works = chain(person, 9)
    graph = lineage_graph(person, works[4])
    assert levels(graph) == {level: {works[4 + level].pk} for level in range(-3, 4)}
    assert [(edge.parent, edge.child, edge.relation, edge.weight) for edge in graph.edges] == [
        (str(parent.pk), str(child.pk), "parent", 0.5) for parent, child in itertools.pairwise(works[1:8])
    ]
    assert graph.left_out == 0
    assert [node.level for node in graph.nodes] == sorted(node.level for node in graph.nodes)


def test_a_work_without_relatives_is_alone_in_its_graph(person: User) -> None:
    work = factories.make_artwork(person)
    graph = lineage_graph(person, work)
    assert ([node.artwork for node in graph.nodes], graph.edges, graph.left_out) == ([work], (), 0)


def test_a_work_that_is_reached_twice_is_shown_once_with_both_edges(person: User) -> None:
    top, left, right, child = (factories.make_listed(person) for _ in range(4))
    factories.make_lineage(left, top, "parent")
    factories.make_lineage(right, top, "parent")
    factories.make_lineage(child, left, "parent", 0.75)
    factories.make_lineage(child, right, "parent", 0.25)
    factories.make_lineage(child, top, "palette")
    graph = lineage_graph(person, child)
    assert levels(graph) == {-1: {left.pk, right.pk, top.pk}, 0: {child.pk}}
    assert len(graph.edges) == 5


@pytest.mark.parametrize(
    ("visibility", "moderation"),
    [
        (Visibility.PRIVATE, Moderation.PENDING),
        (Visibility.PRIVATE, Moderation.APPROVED),
        (Visibility.UNLISTED, Moderation.APPROVED),
        (Visibility.PUBLIC, Moderation.PENDING),
        (Visibility.PUBLIC, Moderation.REJECTED),
        (Visibility.PUBLIC, Moderation.REMOVED),
    ],
)
def test_others_works_that_are_not_listed_are_stubs_above_and_nothing_below(
    person: User, stranger: User, visibility: str, moderation: str
) -> None:
    hidden = {"visibility": visibility, "moderation": moderation, "title": "secret", "prompt": "secret"}
    behind = factories.make_listed(person)
    parent, child = factories.make_artwork(person, **hidden), factories.make_artwork(person, **hidden)
    work, grandchild = factories.make_listed(person), factories.make_listed(person)
    factories.make_lineage(parent, behind, "parent")
    factories.make_lineage(work, parent, "parent", 0.5)
    factories.make_lineage(child, work, "parent")
    factories.make_lineage(grandchild, child, "parent")
    for who in (stranger, AnonymousUser()):
        assert [(one.artwork, one.gone, one.weight) for one in parents_of(who, work)] == [(None, False, 0.5)]
        graph = lineage_graph(who, work)
        assert levels(graph) == {-1: {"private"}, 0: {work.pk}}, "nothing behind a stub is looked at"
        told = repr(graph)
        for secret in (parent, child):
            assert str(secret.pk) not in told
            assert secret.pk.hex not in told
        assert "secret" not in told
        assert graph.left_out == 0
        assert [(edge.child, edge.weight) for edge in graph.edges] == [(str(work.pk), 0.5)]
    assert levels(lineage_graph(person, work)) == {
        -2: {behind.pk}, -1: {parent.pk}, 0: {work.pk}, 1: {child.pk}, 2: {grandchild.pk}
    }  # fmt: skip


def test_stubs_of_the_same_work_do_not_tell_that_it_is_the_same(person: User, stranger: User) -> None:
    private, middle, work = (
        factories.make_artwork(person), factories.make_listed(person), factories.make_listed(person)
    )  # fmt: skip
    factories.make_lineage(middle, private, "parent")
    factories.make_lineage(work, private, "style")
    factories.make_lineage(work, middle, "parent")
    factories.make_lineage(work, None, "image")
    graph = lineage_graph(stranger, work)
    stubs = [node for node in graph.nodes if node.artwork is None]
    assert sorted((node.level, node.state) for node in stubs) == [
        (-2, "private"), (-1, "deleted"), (-1, "private")
    ]  # fmt: skip
    assert len({node.key for node in stubs}) == 3


def test_a_graph_is_bounded_and_says_how_much_is_left_out(person: User, stranger: User) -> None:
    work = factories.make_listed(person)
    for relatives in range(80):
        factories.make_lineage(work, factories.make_listed(person, file="a.png"), f"parent {relatives}")
        factories.make_lineage(factories.make_listed(person, file="a.png"), work, "parent")
        factories.make_lineage(factories.make_artwork(person, file="a.png"), work, "parent")
    graph = lineage_graph(stranger, work)
    assert len(graph.nodes) == 60
    assert {level: len(keys) for level, keys in levels(graph).items()} == {-1: 29, 0: 1, 1: 30}
    assert graph.left_out == 51 + 50, "private children are not even counted"
    assert {edge.child for edge in graph.edges} | {edge.parent for edge in graph.edges} <= {
        node.key for node in graph.nodes
    }


def test_a_graph_costs_the_same_queries_however_many_works_there_are(
    person: User, django_assert_max_num_queries: Any
) -> None:
    work = factories.make_listed(person)
    above, below = [work], [work]
    for _ in range(3):
        parents = [factories.make_listed(person, file="a.png") for _ in range(2 * len(above))]
        children = [factories.make_listed(person, file="a.png") for _ in range(2 * len(below))]
        for number, (parent, child) in enumerate(zip(parents, children, strict=True)):
            factories.make_lineage(above[number // 2], parent, "parent")
            factories.make_lineage(child, below[number // 2], "parent")
        above, below = parents, children
    with django_assert_max_num_queries(4 * 3 + 1):
        graph = lineage_graph(person, work)
        assert all(node.artwork.owner.username for node in graph.nodes if node.artwork)
    assert len(graph.nodes) == 29


def test_a_circle_in_the_lineage_ends_the_walk(person: User) -> None:
    one, two = chain(person, 2)
    factories.make_lineage(one, two, "parent")
    graph = lineage_graph(person, one)
    assert len(graph.nodes) == 2
    assert uuid.UUID(graph.nodes[0].key) in {one.pk, two.pk}
