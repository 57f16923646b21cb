"""Annotations of English poems on their pages, and poems that are written again from there."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from gallery.models import Artwork, Job, JobState, User, Visibility
from gallery.presentation.english_poem import (
    EnglishAnnotations,
    draft_of_kept,
    english_annotations_of,
    metre,
    stanza_starts,
)
from gallery.templatetags.poem_tags import letters
from tests.toy_english import details_of, lines_of
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db

QUATRAIN = lines_of({"form": "quatrain"})
FIRST, SECOND, THIRD, FOURTH = QUATRAIN


def poem(person: User, form: str = "quatrain", craft: Any = None, **changes: Any) -> Artwork:
    """A poem as the engine tells of it. ``craft``: laid over its making, or what stands instead of it."""
    lines = lines_of({"form": form})
    details = copy.deepcopy(details_of({"form": form}, lines)) | changes
    details["craft"] = details["craft"] | craft if isinstance(craft, dict) else craft or details["craft"]
    fields = {"text": "\n".join(lines), "title": "The Sea", "details": details}
    work = factories.make_artwork(person, "verse", **fields)
    work.recipe["parameters"]["form"] = form
    work.save()
    return work


def made(work: Artwork) -> EnglishAnnotations:
    annotations = english_annotations_of(work)
    assert annotations is not None
    return annotations


def page(work: Artwork, person: User | None, language: str = "en") -> str:
    content: str = client_of(person, language).get(reverse("artwork", args=[work.pk])).content.decode()
    return content


# --- What is shown --------------------------------------------------------------------------------------


def test_stresses_rhymes_and_stanzas_are_shown(person: User) -> None:
    annotations = made(poem(person, "ballad", author="John Keats"))
    assert [line.rhyme for line in annotations.lines] == ["", "A", "", "A", "", "B", "", "B"]
    assert [line.number for line in annotations.lines if line.opens] == [5]
    beats = [piece.beats for piece in annotations.lines[1].pieces]
    # And silver on the sleeping town: a short word takes the beat of its place, a long one has its own.
    assert beats == [
        ("weak",), ("strong", "weak"), ("strong",), ("weak",), ("strong", "weak"), ("strong",), (),
    ]  # fmt: skip
    assert [piece.text for piece in annotations.lines[1].pieces if piece.ends] == ["town"]
    with override("en"):
        assert (str(annotations.form), str(annotations.author)) == ("Ballad", "John Keats")
    assert annotations.scheme == "-A-A-B-B"
    assert annotations.text.split("\n\n") == [
        "\n".join(lines_of({"form": "ballad"})[i : i + 4]) for i in (0, 4)
    ]


def test_the_page_tells_it_in_both_languages(person: User) -> None:
    work = poem(person, author="John Keats")
    content = page(work, person)
    assert Page(content).problems == []
    for told in (
        "iambic, 8 syllables",
        "rhyme scheme ABAB",
        "in the manner of John Keats",
        "stressed",
        "31%",
    ):
        assert told in content
    assert content.count('data-rhyme="A"') == 2
    assert '<div class="poem across latin" lang="en" data-lines="4"' in content
    chinese = page(work, person, "zh-hans")
    assert "抑扬格，每行 8 个音节" in chinese
    assert "仿济慈 John Keats" in chinese
    assert "四行诗" in chinese
    assert "stressed" not in chinese


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        (["wsws" * 2] * 4, "iambic, 8 syllables"),
        (["wsws" * 2, "wswsws"] * 4, "iambic, 8 and 6 syllables"),
        (["wswwswws", "wswwswws", "wswws", "wswws", "wswwswws"], "triple metre, 8 and 5 syllables"),
        (["." * 5, "." * 7, "." * 5], "5, 7 and 5 syllables"),
        (["wsws", ""], ""),
    ],
)
def test_a_metre_is_said_in_words(templates: list[str], words: str) -> None:
    with override("en"):
        assert metre(templates) == words


def test_stanzas_are_seen_wherever_the_poem_is(person: User) -> None:
    sonnet = poem(person, "sonnet")
    assert stanza_starts(sonnet) == {4, 8, 12}
    content = page(sonnet, person)
    assert content.count('class="line opens"') == 3
    assert '<script id="card-starts" type="application/json">[4, 8, 12]</script>' in content
    kept = client_of(person).get(reverse("media_poem", args=[sonnet.pk])).content.decode()
    assert f"\n\n{SECOND}\n{THIRD}\n{FIRST}\n{SECOND}\n\n{THIRD}\n" in kept
    job = factories.make_job(person, "verse", JobState.RUNNING, parameters={"form": "sonnet"})
    live = client_of(person).get(reverse("job", args=[job.pk])).content.decode()
    assert live.count('<span class="line') == 14
    assert live.count('class="line opens"') == 3
    for odd in (None, [4, 4], [0, 14], [True, 13], "4442", [14.0]):
        assert stanza_starts(poem(person, "sonnet", stanzas=odd)) == frozenset()


def test_the_sheet_of_a_poem_is_as_wide_as_its_longest_line(person: User) -> None:
    long = "x" * 70
    for text, most in (("Oh", 20), (FIRST, 32), (f"{FIRST}\n{long}", 64)):
        assert letters(factories.make_artwork(person, "verse", text=text)) == most


# --- What an engine may have written ----------------------------------------------------------------------


def without(number: int) -> Any:
    told = copy.deepcopy(details_of({"form": "quatrain"}, QUATRAIN)["craft"]["lines"])
    del told[number][1]
    return told


@pytest.mark.parametrize(
    "craft",
    [
        {"format": 1},
        {"language": "fr"},
        {"lines": None},
        {"lines": [[]] * 4},
        {"lines": [["The moon"]] * 4},
        {"lines": [[{"text": 5, "stress": "1"}]] * 4},
        {"lines": [[{"text": FIRST, "stress": "loud"}]] * 4},
        {"lines": [[{"text": "a", "stress": "1"}] * 21] * 4},
        {"lines": without(2)},
        ["nothing"],
        "craft",
    ],
)
def test_what_does_not_fit_the_poem_is_not_shown(person: User, craft: Any) -> None:
    work = poem(person, craft=craft)
    assert english_annotations_of(work) is None
    assert "data-annotations" not in page(work, person)


def test_malformed_annotations_are_left_out(person: User) -> None:
    told = copy.deepcopy(details_of({"form": "quatrain"}, QUATRAIN)["craft"]["lines"])
    told[0][0]["options"] = [
        None, ["<b>", 0.5], ["a/b", 0.4], ["x" * 41, 0.1], ["_", 0.1], ["w", 2], [3, 0.1], ["far", 0.1],
    ]  # fmt: skip
    told[0][1]["options"] = "moon"
    craft = {
        "lines": told,
        "scheme": "<b>AB",
        "templates": ["ws", 5],
        "given": [True, -1, 99, "0", 1],
        "relaxed": [{"code": "x"}, None],
    }
    work = poem(person, craft=craft, form="quatrain", form_name=["x"], author={"a": 1}, acrostic=7)
    shown = made(work)
    assert [one.text for one in shown.lines[0].pieces[0].alternatives] == ["<b>"]
    assert [line.given for line in shown.lines] == [False, True, False, False]
    assert (shown.metre, shown.scheme) == ("", "")
    content = page(work, person)
    assert "&lt;b&gt;" in content
    assert Page(content).problems == []


def test_a_poem_of_more_lines_than_any_form_is_only_a_poem(person: User) -> None:
    lines = ["The moon"] * 15
    details = details_of({"form": "sonnet"}, lines)
    work = factories.make_artwork(person, "verse", text="\n".join(lines), details=details)
    assert english_annotations_of(work) is None
    assert "poem across latin" in page(work, person)


# --- Led on -----------------------------------------------------------------------------------------------


def drafts(work: Artwork, number: int, place: int) -> tuple[list[str], str | None]:
    piece = made(work).lines[number].pieces[place]
    return [one.draft for one in piece.alternatives], piece.draft


def test_another_word_keeps_what_follows_it_and_the_lines_before(person: User) -> None:
    work = poem(person)
    taken, again = drafts(work, 1, 2)
    assert taken[0] == f"{FIRST}/_ star the sleeping town,"
    assert again == f"{FIRST}/_ the sleeping town,"
    first_line, again = drafts(work, 0, 1)
    assert (first_line[0], again) == ("_ star is bright above the sea", "_ is bright above the sea")
    # The last word: the mark after it stays with another one, and goes when all is written anew.
    taken, again = drafts(work, 1, 5)
    assert (taken[0], again) == (f"{FIRST}/_ star,", FIRST)
    assert drafts(work, 0, 6)[1] == ""
    # Another mark at the end leaves the line as it is.
    assert drafts(work, 1, 6) == ([f"{FIRST}/And silver on the sleeping town;"], None)
    assert drafts(work, 0, 7) == ([f"{FIRST};"], None)


def test_words_of_an_acrostic_keep_its_letter(person: User) -> None:
    work = poem(person, acrostic="SAW")
    assert [bool(line.pieces[0].alternatives) for line in made(work).lines] == [True, False, True, True]
    assert [one.text for one in made(work).lines[0].pieces[0].alternatives] == ["star"]
    assert [one.text for one in made(work).lines[2].pieces[0].alternatives] == ["wind"]


@pytest.mark.parametrize(
    ("kept", "draft"),
    [(set(), ""), ({2}, f"/{SECOND}"), ({1, 4, 9}, f"{FIRST}///{FOURTH}"), ({1, 2}, f"{FIRST}/{SECOND}")],
)
def test_lines_are_kept(person: User, kept: set[int], draft: str) -> None:
    assert draft_of_kept(poem(person), kept) == draft


@pytest.mark.parametrize(
    ("sent", "opening", "same_seed"),
    [
        ({"take": f"{FIRST}/_ star the sleeping town,"}, f"{FIRST}/_ star the sleeping town,", True),
        ({"again": "_ is bright above the sea"}, "_ is bright above the sea", False),
        ({"redo": "1", "lock": ["2", "9", "x"]}, f"/{SECOND}", False),
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
    assert (job.parameters["form"], job.parameters["opening"]) == ("quatrain", opening)
    assert (job.seed == work.seed) is same_seed


def test_a_whole_sonnet_of_long_lines_can_be_written_again(person: User) -> None:
    work = poem(person, "sonnet")
    url = reverse("poem_lead", args=[work.pk])
    for piece in made(work).lines[13].pieces:
        for other in piece.alternatives:
            answer = client_of(person).post(url, {"take": other.draft})
            assert answer["Location"].startswith("/jobs/")


def test_anonymous_visitors_see_the_annotations_without_buttons(person: User) -> None:
    work = poem(person)
    url = reverse("poem_lead", args=[work.pk])
    assert client_of(factories.make_user("eve")).post(url, {"again": ""}).status_code == 404
    assert client_of(None).post(url, {"again": ""}).status_code == 302
    Artwork.objects.filter(pk=work.pk).update(visibility=Visibility.PUBLIC, moderation="approved")
    content = page(work, None)
    assert Page(content).problems == []
    assert "31%" in content
    for name in ("take", "again", "lock", "redo"):
        assert f'name="{name}"' not in content
    assert not Job.objects.exists()


def test_words_of_the_wrong_language_lead_back_to_the_studio(person: User) -> None:
    answer = client_of(person).post(reverse("poem_lead", args=[poem(person).pk]), {"take": "白日"})
    assert answer["Location"].startswith(reverse("studio_kind", args=["verse"]))
    assert not Job.objects.exists()
