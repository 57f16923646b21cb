"""Analyses on their pages: bars, maps and words, or nothing at all when they are malformed."""

from __future__ import annotations

import copy
import re
from io import BytesIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from PIL import Image

from gallery.models import Artwork, Job, JobState, User
from gallery.presentation.analysis import analysis_of
from gallery.presentation.analysis_terms import COLOURS, GENRES, PAINTERS, STYLES, THINGS
from gallery.presentation.titles import heading
from gallery.selectors.artworks import cards
from gallery.services import artworks
from gallery.services.artworks import PictureFile
from gallery.services.provenance import DIGITAL_SOURCE_TYPE
from tests.toy_engines import ToyAnalyse
from tests.web import factories
from tests.web.site_pages import client_of
from workers.engines.vision.colour_analysis import NAMES
from workers.training.classifier.labels import GENRES as TRAINED_GENRES
from workers.training.classifier.labels import STYLES as TRAINED_STYLES

pytestmark = pytest.mark.django_db
TOLD = ToyAnalyse().analysis()


def told(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(TOLD) | changes


def seen(details: Any) -> Artwork:
    return Artwork(kind="analyse", details={"analysis": details})


def page_of(person: User, language: str = "en", **changes: Any) -> str:
    work = factories.make_artwork(person, "analyse", prompt="", details={"analysis": told(**changes)})
    url = reverse("artwork", args=[work.pk])
    content: str = client_of(person, language).get(url).content.decode()
    return content


# --- Its name --------------------------------------------------------------------------


@pytest.mark.parametrize("on_card", [False, True], ids=["its page", "a card"])
def test_an_analysis_is_called_after_what_it_guesses_first(
    person: User, on_card: bool, django_assert_num_queries: Any
) -> None:
    def named(**fields: Any) -> str:
        pk = factories.make_artwork(person, "analyse", prompt="", **fields).pk
        (work,) = cards(Artwork.objects.filter(pk=pk)) if on_card else Artwork.objects.filter(pk=pk)
        with django_assert_num_queries(0):
            return heading(work)

    assert named(details={"analysis": told()}) == "Analysis: Impressionism, landscape"
    with override("zh-hans"):
        assert named(details={"analysis": told()}) == "赏析：印象派、风景"
    assert named(details={"analysis": told()}, title="My cat") == "My cat"
    assert named(details={"analysis": told(unlike=True)}) == "Analysis"
    assert named(details={"analysis": "nonsense"}) == "Analysis"
    assert named(details={}) == "Analysis"


def test_analyses_are_told_apart_in_the_list_and_on_their_pages(
    person: User, django_assert_num_queries: Any
) -> None:
    def asked(**changes: Any) -> Job:
        job = factories.make_job(person, "analyse", JobState.SUCCEEDED)
        details = {"analysis": told(**changes)}
        factories.make_artwork(person, "analyse", job=job, prompt="", details=details)
        return job

    first = asked()
    client = client_of(person)
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("my_jobs"))
    asked(heads={"style": [{"label": "Baroque", "share": 0.9}]})
    with django_assert_num_queries(len(queries)):
        content = client.get(reverse("my_jobs")).content.decode()
    assert "Analysis: Impressionism, landscape" in content
    assert "Analysis: Baroque" in content
    page = client.get(reverse("job", args=[first.pk])).content.decode()
    assert re.search(r">\s*Analysis: Impressionism, landscape\s*</h1>", page)


# --- Reading ---------------------------------------------------------------------------


def test_an_analysis_is_read_whole() -> None:
    found = analysis_of(seen(told()))
    assert found is not None
    assert [head.name for head in found.heads] == ["style", "painter", "genre"]
    first = found.heads[0].guesses[0]
    assert (first.label, first.percent, first.code) == ("Impressionism", 63, "style-0")
    assert first.evidence is not None
    assert (first.evidence.width, first.evidence.height) == (12, 9)
    assert found.first == "style-0"
    assert [(one.title, one.artist) for one in found.near] == [
        ("Sunrise by the Sea", "Claude Monet"),
        ("The Flood", "Alfred Sisley"),
    ]
    assert (found.known, found.unlike, found.horizon) == (93, False, 40)
    assert found.sees == ("landscape", "bright light", "sea")


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "text",
        [],
        {},
        told(format=2),
        told(heads=None),
        told(heads={"style": [{"label": "x", "share": 1.5}]}),
        told(heads={"style": [{"label": "x", "share": "nan"}]}),
        told(heads={"style": [{"share": 1}]}),
        told(palette=[{"colour": "url(x)", "name": "x", "share": 0.1}]),
        told(composition={}),
        told(near="x"),
        told(known="much"),
    ],
)
def test_a_malformed_analysis_is_not_shown_and_the_page_loads(person: User, nonsense: Any) -> None:
    work = factories.make_artwork(person, "analyse", details={"analysis": nonsense})
    assert analysis_of(work) is None
    response = client_of(person).get(reverse("artwork", args=[work.pk]))
    assert response.status_code == 200
    assert "analysis-view" not in response.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 3, "height": 3, "cells": "AAAA"},
        {"width": 1, "height": 1, "cells": "?"},
        {"width": 0, "height": 0, "cells": ""},
        {"width": 2, "height": 2, "cells": "AAAAAA=="},
        {"width": 10**9, "height": 1, "cells": "AAAA"},
    ],
    ids=["too few cells", "no base64", "empty", "nothing is warm", "huge"],
)
def test_a_map_that_shows_nothing_is_left_out(wrong: dict[str, Any]) -> None:
    maps = told()["maps"] | {"style": [wrong]}
    found = analysis_of(seen(told(maps=maps)))
    assert found is not None
    assert [guess.evidence for guess in found.heads[0].guesses] == [None, None, None]
    assert found.first == "painter-0"


def test_labels_are_in_the_visitors_language_and_unknown_ones_as_they_came() -> None:
    palette = [
        {"colour": "#5b6d86", "name": "slate blue", "share": 0.6},
        {"colour": "#000000", "name": "octarine", "share": 0.4},
    ]
    with override("zh-hans"):
        found = analysis_of(seen(told(palette=palette)))
    assert found is not None
    assert found.heads[0].label == "风格"
    assert [head.guesses[0].label for head in found.heads] == ["印象派", "莫奈", "风景"]
    assert [swatch.name for swatch in found.palette] == ["石板蓝", "octarine"]
    assert found.sees == ("风景", "光线明亮", "海")


def test_everything_the_shipped_network_says_has_a_chinese_word() -> None:
    assert set(TRAINED_STYLES) <= set(STYLES)
    assert set(TRAINED_GENRES) <= set(GENRES)
    assert set(NAMES) <= set(COLOURS)
    assert len(PAINTERS) >= 40
    assert {"spring", "summer", "autumn", "winter", "sea"} <= set(THINGS)


def test_a_class_of_a_tiny_share_has_no_line_unless_it_is_the_first() -> None:
    heads = {"style": [{"label": label, "share": share} for label, share in (("a", 0.004), ("b", 0.003))]}
    found = analysis_of(seen(told(heads=heads)))
    assert found is not None
    assert [[guess.label for guess in head.guesses] for head in found.heads] == [["a"]]


# --- The page ---------------------------------------------------------------------------


def test_the_page_says_what_was_seen_in_words_and_bars(person: User) -> None:
    content = page_of(person)
    for text in ("Impressionism", "63 %", "Claude Monet", "slate blue", "#7a8c99", "Sunrise by the Sea"):
        assert text in content
    assert "The horizon lies 40 % down from the top." in content
    assert "calibrated" in content
    assert '<rect width="63" height="1"/>' in content
    assert content.count("data-evidence ") == 8
    assert "unlike anything I know" not in content
    # Chance has no part in it: neither a seed nor another one is offered.
    assert "New seed" not in content
    assert ">Seed<" not in content


def test_a_picture_unlike_all_training_pictures_is_told_so(person: User) -> None:
    assert "This is unlike anything I know." in page_of(person, unlike=True)
    assert "这和我认识的都不像。" in page_of(person, "zh-hans", unlike=True)


def test_without_a_horizon_none_is_offered(person: User) -> None:
    content = page_of(person, composition=TOLD["composition"] | {"horizon": None})
    assert "data-horizon" not in content
    assert "No horizon" in content


def test_what_an_engine_tells_is_text_and_nothing_else(person: User) -> None:
    content = page_of(person, near=[{"title": "<script>alert(1)</script>", "artist": "", "likeness": 1}])
    assert "<script>alert" not in content
    assert "&lt;script&gt;alert(1)" in content


def test_the_jobs_page_shows_the_analysis_and_its_neighbours(client: Client, person: User) -> None:
    job = factories.make_job(person, "analyse", JobState.SUCCEEDED)
    work = factories.make_artwork(person, "analyse", job=job, details={"analysis": told()})
    other = factories.make_listed(factories.make_user("ben"))
    factories.make_embedding(work)
    factories.make_embedding(other)
    client.force_login(person)
    content = client.get(reverse("job", args=[job.pk])).content.decode()
    assert "<analysis-view" in content
    assert "More like this" in content
    assert reverse("artwork", args=[other.pk]) in content


# --- The mark of AI ---------------------------------------------------------------------------


def looked_at(job: Job) -> Artwork:
    picture = PictureFile(Image.new("RGB", (64, 48), "teal"), {"analysis": told()}, generated=False)
    return artworks.artworks_save(artworks.artworks_build(job, [picture]))[0]


def xmp_of(name: str) -> str:
    with default_storage.open(name) as file, Image.open(BytesIO(file.read())) as image:
        packet = image.info.get("XML:com.adobe.xmp") or image.info["xmp"].decode()
    return str(packet)


def test_an_analysed_photo_is_not_marked_as_made_by_ai(person: User) -> None:
    job = factories.make_job(person, "analyse", JobState.RUNNING)
    factories.make_input(job, "image", factories.make_upload(person))
    work = looked_at(job)
    assert work.generated is False
    for name in (work.file.name, work.thumbnail.name):
        assert DIGITAL_SOURCE_TYPE not in xmp_of(str(name))
        assert "artsite:recipe" in xmp_of(str(name))
    content = client_of(person).get(reverse("artwork", args=[work.pk])).content.decode()
    assert "made by a neural network:" not in content
    assert "A picture that somebody brought" in content


def test_an_analysed_generated_work_keeps_its_mark_of_ai(person: User) -> None:
    job = factories.make_job(person, "analyse", JobState.RUNNING)
    factories.make_input(job, "image", factories.make_artwork(person))
    work = looked_at(job)
    assert work.generated is True
    for name in (work.file.name, work.thumbnail.name):
        assert DIGITAL_SOURCE_TYPE in xmp_of(str(name))
    # And a photo that was looked at twice is still a photo.
    again = factories.make_job(person, "analyse", JobState.RUNNING)
    factories.make_input(again, "image", factories.make_artwork(person, "analyse", generated=False))
    assert looked_at(again).generated is False
