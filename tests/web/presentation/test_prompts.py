"""What a network understood of a prompt: pieces to mark, and a sentence about the rest."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from gallery.models import JobState, User
from gallery.presentation.labels import error_sentence, note_sentence
from gallery.presentation.prompt_segments import Segment, prompt_segments
from tests.web import factories

pytestmark = pytest.mark.django_db
PROMPT = "a gloaming 海 & <b>"
TOLD: list[dict[str, Any]] = [
    {"text": "a "},
    {"text": "gloaming", "nearest": "sunset"},
    {"text": " "},
    {"text": "海", "words": ["sea"]},
    {"text": " & "},
    {"text": "<b>", "nearest": ""},
]
READ = [
    Segment("a ", "plain"),
    Segment("gloaming", "unknown", nearest="sunset"),
    Segment(" ", "plain"),
    Segment("海", "understood", words=("sea",)),
    Segment(" & ", "plain"),
    Segment("<b>", "unknown"),
]


def test_a_job_and_its_works_show_the_same_pieces(person: User) -> None:
    notes = [{"code": "other"}, {"code": "understood", "segments": TOLD}]
    job = factories.make_job(person, state=JobState.RUNNING, parameters={"prompt": PROMPT}, notes=notes)
    assert prompt_segments(job) == READ
    work = factories.make_artwork(person, prompt=PROMPT, details={"understood": TOLD})
    assert prompt_segments(work) == READ


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "a gloaming",
        {"text": PROMPT},
        TOLD[:-1],
        [*TOLD, {"text": "more"}],
        [{"text": None}],
        [{"words": ["sea"]}],
        [None],
        [{"text": PROMPT, "words": "sea"}],
        [{"text": PROMPT, "words": 7}],
    ],
)
def test_pieces_that_are_not_the_prompt_are_ignored(person: User, told: Any) -> None:
    work = factories.make_artwork(person, prompt=PROMPT, details={"understood": told})
    assert prompt_segments(work) == [Segment(PROMPT, "plain")]


def test_an_empty_prompt_has_no_pieces(person: User) -> None:
    assert prompt_segments(factories.make_artwork(person, prompt="")) == []
    assert prompt_segments(factories.make_job(person, notes=["nonsense", None])) == []


def test_a_note_names_the_words_that_were_ignored_and_the_nearest_ones() -> None:
    sentence = note_sentence({"code": "understood", "segments": TOLD})
    assert sentence.startswith("These words are not in the network's vocabulary")
    assert "gloaming (the nearest that it knows: sunset), <b>." in sentence
    one = note_sentence({"code": "understood", "segments": [*TOLD[:4], *TOLD[1:3]]})
    assert one.startswith("One word is not"), "a word that comes twice is named once"
    assert note_sentence({"code": "understood", "segments": TOLD[2:5]}) == ""
    assert note_sentence({"code": "understood", "segments": "all"}) == ""
    assert note_sentence({"code": "understood"}) == ""
    with translation.override("zh-hans"):
        assert "gloaming" in note_sentence({"code": "understood", "segments": TOLD})
        assert "vocabulary" not in note_sentence({"code": "understood", "segments": TOLD})


def test_a_failure_names_the_picture_that_is_missing_in_every_language() -> None:
    sentence = "A picture that this work starts from is no longer there: Second parent."
    missing: dict[str, Any] = {"kind": "blend", "notes": [{"code": "input_missing", "role": "parent_2"}]}
    assert error_sentence("input_missing", sentence, **missing) == sentence
    with translation.override("zh-hans"):
        label = translation.gettext("Second parent")
        assert label != "Second parent"
        assert label in error_sentence("input_missing", sentence, **missing)
        general = error_sentence("input_missing", sentence)
        assert label not in general
        assert general.isascii() is False
        assert "parent_2" in error_sentence("input_missing", sentence, kind="gone", notes=missing["notes"])


def test_likenesses_that_became_parents_are_named() -> None:
    assert "parents 1, 3" in note_sentence({"code": "projected", "parents": [1, 3]}, "blend")
    assert "parent 2 " in note_sentence({"code": "projected", "parents": [2]}, "blend")
    assert note_sentence({"code": "projected", "parents": []}, "blend") == ""
