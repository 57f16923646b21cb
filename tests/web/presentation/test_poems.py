"""Annotations of Chinese poems on their pages, and poems that are written again from there."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gallery import kinds
from gallery.kinds import InvalidRecipe
from gallery.models import Artwork, Job, JobState, User, Visibility
from gallery.presentation.chinese_poem import annotations_of, draft_of_locked
from tests.web import factories
from tests.web.site_pages import client_of

pytestmark = pytest.mark.django_db

LINES = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")
TEXT = "".join(LINES)
CRAFT: dict[str, Any] = {
    "format": 1,
    "tones": ["仄仄平平仄", "平平仄仄平", "仄平平仄仄", "仄仄仄平平"],
    "marks": ["中仄平平仄", "平平中仄韵", "中平平仄仄", "中仄仄平韵"],
    "given": [0, 1],
    "breaches": {"tone": [3], "rhyme": [], "repeat": []},
    "options": [[[character, 0.5], ["江", 0.25], ["<", 0.001]] for character in TEXT],
    "pinyin": [["bái", "rì", "yī", "shān", "jìn"], *[["x"] * 5] * 3],
    "relaxed": [{"code": "given_tones", "characters": "山"}],
    "first_written": 0,
}


def poem(person: User, lines: tuple[str, ...] = LINES, acrostic: str = "", **changes: Any) -> Artwork:
    details = {"craft": CRAFT | changes, "pattern": "仄起首句不入韵", "rhyme": "十一尤", "acrostic": acrostic}
    return factories.make_artwork(person, "verse", text="\n".join(lines), details=details)


def page(work: Artwork, person: User | None, language: str = "en") -> str:
    content: str = client_of(person, language).get(reverse("artwork", args=[work.pk])).content.decode()
    return content


def test_tones_rhymes_breaches_and_readings_are_on_the_page(person: User) -> None:
    work = poem(person)
    annotations = annotations_of(work)
    assert annotations is not None
    assert annotations.text == "\n".join(LINES)
    places = [place for line in annotations.lines for place in line.places]
    assert "".join(place.tone for place in places) == "".join(CRAFT["tones"])
    assert [i for i, place in enumerate(places) if place.rhyming] == [9, 19]
    assert [i for i, place in enumerate(places) if place.breaches] == [3]
    assert (places[3].pinyin, places[1].given, places[2].given) == ("shān", True, False)
    content = page(work, person)
    assert "the tone breaks the pattern" in content
    assert "The given characters 山 do not fit any tone pattern" in content
    assert "shān" in content
    assert 'value="白日依江"' in content
    assert "&lt;" in content
    chinese = page(work, person, "zh-hans")
    assert "平仄不合" in chinese
    assert "仄起首句不入韵" in chinese
    assert "the tone breaks" not in chinese


def test_anonymous_visitors_see_the_annotations_without_buttons(person: User) -> None:
    work = poem(person)
    Artwork.objects.filter(pk=work.pk).update(visibility=Visibility.PUBLIC, moderation="approved")
    content = page(work, None)
    assert "25%" in content
    assert 'name="take"' not in content
    assert 'name="lock"' not in content


@pytest.mark.parametrize(
    "broken",
    [
        {"format": 2},
        {"tones": ["仄仄平平仄"]},
        {"tones": "仄" * 20},
        {"marks": ["<b>x"] * 4},
        {"marks": None},
    ],
)
def test_what_does_not_fit_is_not_shown(person: User, broken: dict[str, Any]) -> None:
    assert annotations_of(poem(person, **broken)) is None
    assert "data-annotations" not in page(poem(person, **broken), person)


def test_malformed_annotations_are_left_out(person: User) -> None:
    odd: dict[str, Any] = {
        "options": [None, [["xx", 1], ["江", 2.0], [1, 0.5], "y"], *[[]] * 18],
        "pinyin": [["a"]],
        "given": [True, -1, 99, "1"],
        "breaches": [],
        "relaxed": [{"code": "strange"}, 5, None],
    }
    annotations = annotations_of(poem(person, **odd))
    assert annotations is not None
    assert not any(place.alternatives or place.given for line in annotations.lines for place in line.places)
    assert (annotations.relaxed, annotations.broken) == ((), False)
    assert annotations_of(poem(person, lines=("Slow rain", "on the roof"))) is None


def test_characters_of_an_acrostic_have_no_alternatives(person: User) -> None:
    annotations = annotations_of(poem(person, acrostic="白黄"))
    assert annotations is not None
    offered = [bool(line.places[0].alternatives) for line in annotations.lines]
    assert offered == [False, False, True, True]


def test_of_a_couplet_the_line_that_was_given_comes_first_in_drafts(person: User) -> None:
    lines = ("三月黄莺满紫泥", "一行白鹭上青天")
    facts = copy.deepcopy(CRAFT) | {
        "tones": ["通" * 7] * 2,
        "marks": ["中" * 7] * 2,
        "options": [[["江", 0.5]]] * 14,
        "first_written": 1,
    }
    work = poem(person, lines=lines, **facts)
    annotations = annotations_of(work)
    assert annotations is not None
    assert [line.fixed for line in annotations.lines] == [False, True]
    assert annotations.lines[0].places[2].alternatives[0].draft == "一行白鹭上青天/三月江"
    assert draft_of_locked(work, set()) == "一行白鹭上青天"


@pytest.mark.parametrize(
    ("sent", "opening", "same_seed"),
    [
        ({"take": "白日依江"}, "白日依江", True),
        ({"again": "白日"}, "白日", False),
        ({"redo": "1", "lock": ["2", "9", "x"]}, "□□□□□/黄河入海流", False),
        ({"redo": "1", "lock": ["1", "4"]}, "白日依山尽/□□□□□/□□□□□/更上一层楼", False),
        ({"redo": "1"}, "", False),
    ],
)
def test_a_poem_is_written_again_from_a_draft(
    person: User, sent: dict[str, Any], opening: str, same_seed: bool
) -> None:
    work, client = poem(person), client_of(person)
    url = reverse("poem_lead", args=[work.pk])
    first, second = (client.post(url, {"key": "k", **sent}) for _ in range(2))
    (job,) = Job.objects.all()
    assert first["Location"] == second["Location"] == reverse("job", args=[job.pk])
    assert (job.kind, job.parameters["opening"], job.parameters["count"]) == ("verse", opening, 1)
    assert (job.seed == work.seed) is same_seed


def test_only_who_may_see_a_poem_writes_it_again(person: User) -> None:
    work = poem(person)
    url = reverse("poem_lead", args=[work.pk])
    assert client_of(factories.make_user("eve")).post(url, {"again": "白"}).status_code == 404
    assert client_of(None).post(url, {"again": "白"}).status_code == 302
    assert client_of(person).get(url).status_code == 405
    picture = factories.make_artwork(person)
    assert client_of(person).post(reverse("poem_lead", args=[picture.pk])).status_code == 404
    too_long = client_of(person).post(url, {"again": "白" * 1001})
    assert too_long["Location"].startswith(reverse("studio_kind", args=["verse"]))
    assert not Job.objects.exists()


def test_the_page_of_a_job_shows_the_annotations_of_its_one_poem(person: User) -> None:
    job = factories.make_job(person, "verse", JobState.SUCCEEDED)
    Artwork.objects.filter(pk=poem(person).pk).update(job=job)
    url = reverse("job", args=[job.pk])
    assert 'value="白日依江"' in client_of(person).get(url).content.decode()
    Artwork.objects.filter(pk=poem(person).pk).update(job=job, index=1)
    assert "data-annotations" not in client_of(person).get(url).content.decode()


def test_a_couplet_needs_a_line(client: Client) -> None:
    with pytest.raises(InvalidRecipe) as problem:
        kinds.kind("verse").clean({"form": "couplet"})
    assert list(problem.value.errors) == ["opening"]
    cleaned = kinds.kind("verse").clean({"form": "couplet", "opening": "明月松间照"})
    assert (cleaned["dynasty"], cleaned["rhyme"], cleaned["rhyme_book"]) == ("tang", "any", "pingshui")
