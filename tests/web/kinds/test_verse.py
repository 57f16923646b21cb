"""What verse may be asked for in two languages: forms, poets, drafts, and wishes that do not go together."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from gallery import kinds
from gallery.forms.studio import StudioForm
from gallery.kinds import InvalidRecipe
from gallery.kinds.verse_forms import CHINESE, ENGLISH_POETS, FORMS, SONG_POETS, TANG_POETS
from gallery.models import Job, User
from tests.web.site_pages import Page, client_of
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.english import forms as english
from workers.training.chinese_verse.corpus import POETS
from workers.training.english_verse.corpus import WELL_KNOWN

VERSE = kinds.kind("verse")
STUDIO = "/studio/verse/"


def errors_of(**values: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidRecipe) as refusal:
        VERSE.clean(values)
    return refusal.value.errors


def control(name: str, **values: Any) -> Any:
    return next(one for one in StudioForm(VERSE, values).controls if one.name == name)


# --- What the networks know ------------------------------------------------------------------------------


def test_forms_are_those_that_can_be_written() -> None:
    chinese = {slug: form.lines for slug, form in FORMS.items() if form.language == CHINESE}
    assert chinese == {form.slug: form.lines for form in prosody.FORMS} | {"couplet": 2}
    in_english = {slug: form.stanzas for slug, form in FORMS.items() if form.language != CHINESE}
    assert in_english == {form.slug: form.stanzas for form in english.FORMS}
    assert FORMS["ballad"].opens == (False, False, False, False, True, False, False, False)


def test_poets_are_those_whose_manner_was_learned() -> None:
    assert (*TANG_POETS, *SONG_POETS) == POETS
    assert set(ENGLISH_POETS) == WELL_KNOWN


# --- Rules between fields ----------------------------------------------------------------------------------


def test_a_program_that_says_nothing_gets_chinese_verse() -> None:
    cleaned = VERSE.clean({})
    assert (cleaned["form"], cleaned["poet"], cleaned["english_poet"]) == ("7jueju", "any", "any")


@pytest.mark.parametrize(
    ("form", "wish"),
    [
        ("sonnet", {"dynasty": "song"}),
        ("haiku", {"rhyme": "一东"}),
        ("quatrain", {"rhyme_book": "modern"}),
        ("limerick", {"poet": "李白"}),
        ("7jueju", {"english_poet": "John Keats"}),
        ("couplet", {"english_poet": "John Keats", "opening": "明月松间照"}),
    ],
)
def test_a_wish_of_the_other_language_is_refused_beside_it(form: str, wish: dict[str, str]) -> None:
    with override("en"):
        errors = errors_of(form=form, **wish)
        assert list(errors) == [next(iter(wish))]
        assert str(FORMS[form].label) in next(iter(errors.values()))[0]


def test_what_stands_for_no_wish_goes_with_every_form() -> None:
    for form in FORMS:
        opening = "明月松间照" if form == "couplet" else ""
        cleaned = VERSE.clean({"form": form, "dynasty": "tang", "english_poet": "any", "opening": opening})
        assert cleaned["form"] == form
    assert VERSE.clean({"form": "sonnet", "english_poet": "John Keats"})["english_poet"] == "John Keats"
    assert VERSE.clean({"poet": "苏轼"})["poet"] == "苏轼"


@pytest.mark.parametrize(
    ("form", "wish"),
    [
        ("quatrain", {"acrostic": "春江花月"}),
        ("quatrain", {"acrostic": "LOVER"}),
        ("haiku", {"acrostic": "a1b"}),
        ("sonnet", {"acrostic": "ABCDEFGHIJKLMNO"}),
        ("5jueju", {"acrostic": "LOVE"}),
        ("5jueju", {"acrostic": "春江花月夜"}),
        ("sonnet", {"opening": "白日依山尽"}),
        ("5jueju", {"opening": "The moon is bright"}),
    ],
)
def test_what_is_given_has_the_language_and_the_length_of_the_form(form: str, wish: dict[str, str]) -> None:
    assert list(errors_of(form=form, **wish)) == [next(iter(wish))]


@pytest.mark.parametrize(
    ("form", "acrostic"),
    [("sonnet", "ABCDEFGHIJKLMN"), ("quatrain", "l o v e!"), ("5jueju", "春，江 花月"), ("ballad", "")],
)
def test_an_acrostic_is_taken_with_its_spaces_and_marks(form: str, acrostic: str) -> None:
    assert VERSE.clean({"form": form, "acrostic": acrostic})["acrostic"] == acrostic


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("The moon is bright\r\n\r\n_ upon the sea", "The moon is bright//_ upon the sea"),
        ("\nThe second line alone\n\n", "/The second line alone"),
        ("One /\ntwo / three /", "One /two / three"),
        (" / ", ""),
    ],
)
def test_lines_of_a_draft_may_be_typed_in_two_ways(typed: str, meant: str) -> None:
    assert VERSE.clean({"form": "sonnet", "opening": typed})["opening"] == meant


def test_limits_are_wide_enough_for_a_sonnet() -> None:
    draft = "/".join(["And silver upon silver sleeps the sea and the town,"] * 14)
    assert VERSE.clean({"form": "sonnet", "opening": draft, "prompt": "x" * 300})["opening"] == draft
    assert set(errors_of(form="sonnet", opening="x" * 1001, prompt="x" * 301)) == {"opening", "prompt"}


# --- The page ---------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "form"), [("en", "quatrain"), ("zh-hans", "7jueju")])
def test_the_page_begins_with_a_form_of_its_language(person: User, language: str, form: str) -> None:
    content = client_of(person, language).get(STUDIO).content.decode()
    assert f'name="form" value="{form}" checked' in content
    asked = client_of(person, language).get(STUDIO, {"form": "haiku"}).content.decode()
    assert 'name="form" value="haiku" checked' in asked


def test_forms_stand_in_two_groups_all_at_once_and_poets_in_a_list() -> None:
    assert control("form").widget == "radios"
    with override("en"):
        groups = [(str(group), len(choices)) for group, choices in control("form").groups]
    assert groups == [("In English", 6), ("In Chinese", 5)]
    with override("zh-hans"):
        assert [len(choices) for _group, choices in control("form").groups] == [5, 6]
    assert (control("poet").widget, control("english_poet").widget) == ("select", "select")


@pytest.mark.django_db
def test_the_page_says_what_goes_with_what(person: User) -> None:
    content = client_of(person).get(STUDIO).content.decode()
    assert Page(content).problems == []
    assert content.count('data-only="form"') == 9
    assert '<optgroup label="The Song">' in content
    assert "Li Bai 李白" in content
    chinese = client_of(person, "zh-hans").get(STUDIO).content.decode()
    assert "济慈 John Keats" in chinese
    assert "Li Bai" not in chinese


@pytest.mark.django_db
def test_without_scripts_the_server_says_what_does_not_go_together(person: User) -> None:
    sent = {"prompt": "", "form": "sonnet", "dynasty": "song", "count": "1", "publish_as": "private"}
    response = client_of(person).post(STUDIO, sent)
    assert response.status_code == 422
    assert "This does not go with “Sonnet”." in response.content.decode()
    assert not Job.objects.exists()
    # As scripts send it: what does not go with the form is not there at all.
    del sent["dynasty"]
    job_page = client_of(person).post(STUDIO, sent)
    job = Job.objects.get()
    assert job_page["Location"] == reverse("job", args=[job.pk])
    assert (job.parameters["form"], job.parameters["dynasty"]) == ("sonnet", "tang")
    content = client_of(person).get(job_page["Location"]).content.decode()
    # The recipe tells only what means something for the form.
    assert "Pingshui" not in content
    assert "In the manner of a poet" in content
