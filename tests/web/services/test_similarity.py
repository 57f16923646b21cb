"""Works that look alike: who may find what, whose vectors are compared, what workers fill in later."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image

from gallery.models import Artwork, Embedding, JobState, Moderation, User, Visibility
from gallery.selectors.similarity import CANDIDATES, ROUNDS, Index, similar_works
from gallery.services import artworks
from gallery.services.artworks import PictureFile, artwork_delete, artwork_set_visibility
from gallery.services.embeddings import LENGTH, Vector, embedding_store
from tests.toy_engines import ToyEmbedder
from tests.web import factories
from workers.runtime.embedding import Embedder
from workers.runtime.embedding_backfill import EmbeddingBackfill
from workers.runtime.outputs import with_embedding

pytestmark = pytest.mark.django_db
NOBODY = AnonymousUser()
TOY = "tests.toy_engines:ToyEmbedder"


@pytest.fixture
def index() -> Index:
    """A process that has seen nothing yet."""
    return Index()


def placed(person: User, *numbers: float, **fields: Any) -> Artwork:
    """A listed work at this place."""
    work = factories.make_listed(person, **fields)
    factories.make_embedding(work, numbers)
    return work


def spread(count: int) -> Iterator[tuple[float, float]]:
    """Places that lie ever farther from (1, 0)."""
    for number in range(count):
        yield 1.0, 0.1 + number


# --- Vectors ---------------------------------------------------------------------------


def test_a_vector_keeps_its_direction_in_a_byte_for_each_number() -> None:
    vector = Vector.of([2.0, -1.0, 0.004, *[0.0] * (LENGTH - 3)], "d")
    assert vector.values[:4] == bytes([127, 256 - 64, 0, 0])
    assert int.from_bytes(vector.signature, "big") == 1 << 255
    assert len(vector.signature) == LENGTH // 8


@pytest.mark.parametrize("numbers", [[], [1.0] * 255, [1.0] * 257, [0.0] * 256, [float("nan")] * 256])
def test_what_is_no_direction_of_that_many_numbers_is_refused(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match=r"embedding|NaN"):
        Vector.of(numbers, "d")


def test_an_infinite_number_is_refused() -> None:
    with pytest.raises(ValueError, match="direction"):
        Vector.of([float("inf"), *[1.0] * 255], "d")


# --- The search ---------------------------------------------------------------------------


def test_the_nearest_come_first_and_the_work_itself_never(person: User, index: Index) -> None:
    middle = placed(person, 1.0, 0.0)
    far, near, nearer = placed(person, -1, 1), placed(person, 1, 0.5), placed(person, 1, 0.2)
    assert similar_works(NOBODY, middle, index=index) == [nearer, near, far]
    assert similar_works(NOBODY, middle, limit=1, index=index) == [nearer]


def test_a_copy_is_found_first_among_many(person: User, index: Index) -> None:
    for place in spread(40):
        placed(person, *place)
    original = factories.make_listed(person)
    factories.make_embedding(original, (0.3, -0.8, 0.5))
    copy = placed(person, 0.3, -0.8, 0.49)
    assert similar_works(NOBODY, copy, index=index)[0] == original
    assert similar_works(NOBODY, original, index=index)[0] == copy


def test_without_an_embedding_there_is_nothing_to_compare(person: User, index: Index) -> None:
    placed(person, 1.0)
    assert similar_works(NOBODY, factories.make_listed(person), index=index) == []


def test_what_is_not_for_a_person_is_not_found(person: User, stranger: User, index: Index) -> None:
    middle = placed(person, 1.0)
    hidden: dict[str, dict[str, Any]] = {
        "private": {"visibility": Visibility.PRIVATE},
        "unlisted": {"visibility": Visibility.UNLISTED},
        "waiting": {"moderation": Moderation.PENDING},
        "rejected": {"moderation": Moderation.REJECTED},
        "removed": {"moderation": Moderation.REMOVED},
    }
    works = {name: placed(person, 1.0, **fields) for name, fields in hidden.items()}
    seen = placed(person, 0.1, 1.0)
    for looker in (NOBODY, stranger):
        assert similar_works(looker, middle, index=index) == [seen]
    # Their owner finds them: the studio points people to their own works.
    assert set(similar_works(person, middle, index=index)) == {seen, *works.values()}


def test_what_was_hidden_or_deleted_since_is_gone_at_once(person: User, index: Index) -> None:
    middle, first, second = placed(person, 1.0), placed(person, 1, 0.1), placed(person, 1, 0.2)
    assert similar_works(NOBODY, middle, index=index) == [first, second]
    artwork_set_visibility(artwork=first, visibility="private", by=person)
    assert similar_works(NOBODY, middle, index=index) == [second]
    artwork_delete(artwork=second, by=person)
    assert similar_works(NOBODY, middle, index=index) == []
    assert Embedding.objects.count() == 2


def test_works_that_come_later_are_found_without_a_restart(person: User, index: Index) -> None:
    middle = placed(person, 1.0)
    assert similar_works(NOBODY, middle, index=index) == []
    later = placed(person, 1.0, 0.3)
    assert similar_works(NOBODY, middle, index=index) == [later]


def test_a_lower_id_that_was_committed_late_is_found_too(person: User, index: Index) -> None:
    middle = placed(person, 1.0)
    late = factories.make_listed(person)
    row = factories.make_embedding(late, (1.0, 0.1))
    kept = {"digest": row.digest, "signature": row.signature, "vector": row.vector}
    low = row.pk
    row.delete()
    early = placed(person, 1.0, 0.2)
    assert similar_works(NOBODY, middle, index=index) == [early]
    Embedding.objects.create(pk=low, artwork=late, **kept)
    assert similar_works(NOBODY, middle, index=index) == [late, early]


def test_vectors_of_two_networks_are_never_compared(person: User, index: Index) -> None:
    middle, old = placed(person, 1.0), placed(person, 1.0, 0.1)
    new = factories.make_listed(person)
    factories.make_embedding(new, (1.0,), digest="ab" * 32)
    assert similar_works(NOBODY, middle, index=index) == [old]
    assert similar_works(NOBODY, new, index=index) == []
    # The network is replaced, and a worker has looked at both again.
    for work in (middle, old):
        assert embedding_store(artwork_id=work.pk, vector=Vector.of([1.0] * 256, "ab" * 32))
    assert set(similar_works(NOBODY, middle, index=index)) == {old, new}


def test_many_hidden_neighbours_are_passed_over_but_not_without_end(person: User, index: Index) -> None:
    middle = placed(person, 1.0)
    works = [factories.artwork_row(person) for _ in range(CANDIDATES * ROUNDS)]
    Artwork.objects.bulk_create(works)
    vector = Vector.of([1.0] * 256, factories.SEEING)
    same = {"digest": vector.digest, "signature": vector.signature, "vector": vector.values}
    Embedding.objects.bulk_create(Embedding(artwork=work, **same) for work in works[: 2 * CANDIDATES])
    seen = placed(person, 1.0, *[-1.0] * 30)
    assert similar_works(NOBODY, middle, index=index) == [seen]
    Embedding.objects.bulk_create(Embedding(artwork=work, **same) for work in works[2 * CANDIDATES :])
    assert similar_works(NOBODY, middle, index=index) == []


def test_a_search_costs_the_same_queries_however_many_works(
    person: User, index: Index, django_assert_num_queries: object
) -> None:
    middle = placed(person, 1.0)
    for place in spread(30):
        placed(person, *place)
    with django_assert_num_queries(4):  # type: ignore[operator]
        assert len(similar_works(NOBODY, middle, limit=20, index=index)) == 20


# --- What is stored ---------------------------------------------------------------------------


def test_a_finished_picture_is_saved_with_its_embedding(person: User) -> None:
    job = factories.make_job(person, state=JobState.RUNNING)
    vector = Vector.of([1.0] * 256, "d")
    prepared = artworks.artworks_build(job, [PictureFile(Image.new("RGB", (8, 8)), embedding=vector)])
    assert not Embedding.objects.exists()
    (work,) = artworks.artworks_save(prepared)
    row = work.embedding
    assert (bytes(row.vector), bytes(row.signature), row.digest) == (vector.values, vector.signature, "d")


def test_an_embedding_for_a_work_that_is_gone_changes_nothing() -> None:
    assert not embedding_store(artwork_id=uuid.uuid4(), vector=Vector.of([1.0] * 256, "d"))
    assert not Embedding.objects.exists()


# --- What workers do ---------------------------------------------------------------------------


def test_an_embedding_network_that_cannot_be_loaded_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    picture = Image.new("RGB", (8, 8))
    for path in ("no.such.module:Missing", "tests.toy_engines:BrokenToy"):
        caplog.clear()
        embedder = Embedder(path)
        assert [embedder.embed(picture) for _ in range(3)] == [None] * 3
        assert len(caplog.records) == 1
        assert "works get no embedding" in caplog.text


def test_missing_weights_do_not_load_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from workers import weights

    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    assert Embedder("").embed(Image.new("RGB", (8, 8))) is None


def test_similar_pictures_have_similar_embeddings() -> None:
    embedder = Embedder(TOY)
    red, dark, blue = (embedder.embed(Image.new("RGB", (40, 30), c)) for c in ("red", "#f00808", "blue"))
    assert red is not None
    assert dark is not None
    assert blue is not None
    assert red.signature == dark.signature != blue.signature
    assert red.digest == ToyEmbedder.digest


def never() -> bool:
    return False


def test_an_idle_worker_fills_in_what_is_missing(person: User) -> None:
    old = factories.make_artwork(person)
    factories.make_embedding(old, digest="0d" * 32)
    new, poem = factories.make_artwork(person), factories.make_artwork(person, "verse")
    backfill = EmbeddingBackfill(Embedder(TOY))
    assert backfill.fill(never) == 2
    assert set(Embedding.objects.values_list("artwork_id", "digest")) == {
        (old.pk, ToyEmbedder.digest),
        (new.pk, ToyEmbedder.digest),
    }
    assert not hasattr(poem, "embedding")
    assert backfill.fill(never) == 0


def test_a_job_interrupts_the_filling_in_at_once(person: User) -> None:
    for _ in range(4):
        factories.make_artwork(person)
    backfill = EmbeddingBackfill(Embedder(TOY))
    assert backfill.fill(lambda: True) == 0
    assert not Embedding.objects.exists()
    assert backfill.fill(Embedding.objects.exists) == 1


def test_a_picture_that_cannot_be_opened_is_not_tried_for_ever(
    person: User, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = factories.make_artwork(person), factories.make_artwork(person)
    with default_storage.open(factories.name_of(broken.file), "wb") as file:
        file.write(b"no picture")
    lost = factories.make_artwork(person, file="artworks/lost.png")
    backfill = EmbeddingBackfill(Embedder(TOY))
    assert backfill.fill(never) == 1
    assert backfill.fill(never) == 0
    assert Embedding.objects.get().artwork_id == whole.pk
    assert caplog.text.count("cannot be read") == 2
    assert str(lost.pk) in caplog.text


def test_a_worker_without_an_embedding_network_fills_in_nothing(person: User) -> None:
    factories.make_artwork(person)
    assert EmbeddingBackfill(Embedder("no.such:Thing")).fill(never) == 0


def test_pictures_get_an_embedding_and_poems_none() -> None:
    poem = artworks.PoemText(("春",))
    picture = with_embedding(PictureFile(Image.new("RGB", (8, 8), "teal")), Embedder(TOY))
    assert isinstance(picture, PictureFile)
    assert picture.embedding is not None
    assert with_embedding(poem, Embedder(TOY)) is poem


# --- Pages ---------------------------------------------------------------------------


def test_a_works_page_shows_six_more_like_it(client: Client, person: User) -> None:
    middle = placed(person, 1.0)
    others = [placed(person, *place) for place in spread(8)]
    content = client.get(reverse("artwork", args=[middle.pk])).content.decode()
    assert "More like this" in content
    shown = [work for work in others if f'href="{reverse("artwork", args=[work.pk])}"' in content]
    assert shown == others[:6]
    assert reverse("artwork_similar", args=[middle.pk]) in content
    page = client.get(reverse("artwork_similar", args=[middle.pk])).content.decode()
    assert all(reverse("artwork", args=[work.pk]) in page for work in others)


def test_the_page_of_a_work_without_an_embedding_says_so(client: Client, person: User) -> None:
    work = factories.make_listed(person)
    assert "More like this" not in client.get(reverse("artwork", args=[work.pk])).content.decode()
    page = client.get(reverse("artwork_similar", args=[work.pk])).content.decode()
    assert "has not looked at this work yet" in page
    poem = factories.make_listed(person, "verse")
    assert client.get(reverse("artwork_similar", args=[poem.pk])).status_code == 404


def test_a_private_neighbour_is_on_nobody_elses_page(client: Client, person: User, stranger: User) -> None:
    middle, secret = placed(stranger, 1.0), placed(person, 1.0, visibility=Visibility.PRIVATE)
    for name in ("artwork", "artwork_similar"):
        assert str(secret.pk) not in client.get(reverse(name, args=[middle.pk])).content.decode()
    client.force_login(person)
    assert str(secret.pk) in client.get(reverse("artwork", args=[middle.pk])).content.decode()


def test_search_by_picture_is_a_form_of_the_analysis(client: Client, person: User) -> None:
    client.force_login(person)
    content = client.get(reverse("picture_search")).content.decode()
    assert 'action="/studio/analyse/"' in content
    assert 'name="picture_image"' in content
    assert reverse("picture_search") in client.get("/").content.decode()
