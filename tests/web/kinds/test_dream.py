"""What can be dreamt of: the sheet of features, the line of text that names them, and their pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.translation import override

from gallery import kinds
from gallery.kinds import InvalidRecipe
from gallery.kinds import features as sheets
from gallery.kinds.features import MOST, chosen, clean_features, described
from gallery.models import Job, User
from gallery.presentation.titles import job_heading
from gallery.templatetags.site_tags import job_rows
from tests.web import factories
from tests.web.site_pages import Page, client_of

LISTED: dict[str, Any] = {
    "format": 1,
    "digest": "ab" * 32,
    "channels": {"s0": 8, "s1": 12, "s2": 16, "s3": 32},
    "tile": 96,
    "columns": 2,
    "features": [
        {"stage": "s3", "channel": 17, "en": "sea", "zh": "大海"},
        {"stage": "s3", "channel": 4, "en": "Van Gogh", "zh": "梵高"},
        {"stage": "s1", "channel": 0, "en": "strokes <b>", "zh": "斜线"},
    ],
}


def write(root: Path, text: str) -> None:
    folder = root / sheets.FOLDER
    folder.mkdir(parents=True)
    (folder / "features.json").write_text(text, "utf-8")


@pytest.fixture(autouse=True)
def _fresh_sheet() -> Iterator[None]:
    sheets.sheet.cache_clear()
    yield
    sheets.sheet.cache_clear()


@pytest.fixture
def listed(tmp_path: Path, settings: Any) -> None:
    """A sheet of three features."""
    settings.STATIC_ROOT = tmp_path
    write(tmp_path, json.dumps(LISTED))


@pytest.fixture
def bare(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sheet, neither collected nor in the package."""
    settings.STATIC_ROOT = tmp_path
    monkeypatch.setattr(sheets, "FOLDER", "gallery/no-features")


def sentence(value: Any) -> str:
    with pytest.raises(ValueError, match=r".") as refusal:
        clean_features(value)
    return str(refusal.value)


# --- The text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("s3", "s3"),
        (" s3 : 17 * 0.5 ,, s2*1.0", "s3:17*0.5, s2"),
        ("S3:017", "s3:17"),
        ("s3：17×2；s1＊.25、s0", "s3:17*2, s1*0.25, s0"),
        ("sea, van gogh*0.3", "s3:17, s3:4*0.3"),
        ("大海*2，梵高", "s3:17*2, s3:4"),
        ("s2:15*3", "s2:15*3"),
    ],
)
@pytest.mark.usefixtures("listed")
def test_features_are_read_as_people_write_them(typed: str, kept: str) -> None:
    assert clean_features(typed) == kept
    assert clean_features(kept) == kept


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("", ""),
        (" , ;", ""),
        ("s4", "s4"),
        ("s9:1", "s9"),
        ("s3:32", "31"),
        ("s3:99999", "31"),
        ("s3:-1", "s3:-1"),
        ("s3:1.5", "s3:1.5"),
        ("s3:17*0", "3"),
        ("s3:17*3.01", "3"),
        ("s3:17*-1", "s3:17*-1"),
        ("s3:17*", "3"),
        ("s3:17*nan", "s3:17*nan"),
        ("s3:17*1e9", "s3:17*1e9"),
        ("s3, s3*2", "s3"),
        ("sea, s3:17", "s3:17"),
        ("ocean", "ocean"),
        ("*", "*"),
        ("../etc/passwd", "../etc/passwd"),
        ("<script>", "<script>"),
        (", ".join(f"s3:{n}" for n in range(MOST + 1)), str(MOST)),
        ("s3," * 500, "400"),
        (7, ""),
        (None, ""),
        (["s3"], ""),
    ],
)
@pytest.mark.usefixtures("listed")
def test_features_that_are_not_there_are_refused_by_name(typed: Any, named: str) -> None:
    assert named in sentence(typed)


@pytest.mark.usefixtures("bare")
def test_without_a_sheet_whole_layers_are_offered() -> None:
    assert clean_features("s1, s3*2") == "s1, s3*2"
    assert "s1, s2, s3" in sentence("s0")
    assert "s3" in sentence("s3:1")
    assert "sea" in sentence("sea")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "tile": "x"}'])
def test_a_damaged_sheet_is_told_to_operators_and_breaks_nothing(
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    settings.STATIC_ROOT = tmp_path
    monkeypatch.setattr(sheets, "FOLDER", "gallery/damaged")
    write(tmp_path, text)
    assert clean_features("s2") == "s2"
    assert str(tmp_path) in caplog.text


@pytest.mark.usefixtures("listed")
def test_features_have_names_in_both_languages() -> None:
    assert described("s3:17*0.5, s2") == "sea 50%, Textures"
    with override("zh-hans"):
        assert described("s3:17*0.5, s2") == "大海 50%、肌理"
    # A recipe of another network keeps its codes.
    assert [one.name for one in chosen("s3:9, s7*x")] == ["s3:9", "s7*x"]


# --- The kind -----------------------------------------------------------------------------------------------


def test_a_dream_needs_no_picture_and_a_zoom_is_small() -> None:
    dream = kinds.kind("dream")
    assert dream.clean({})["features"] == "s3"
    dream.clean({"zoom": True, "size": 512}, frozenset({"image"}))
    dream.clean({"zoom": False, "size": 1024})
    with pytest.raises(InvalidRecipe) as refusal:
        dream.clean({"zoom": True, "size": 576})
    assert set(refusal.value.errors) == {"size"}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("octaves", 0, 7),
        ("octave_scale", 1.1, 1.9),
        ("steps", 4, 61),
        ("step_size", 0.004, 0.11),
        ("jitter", -1, 65),
        ("size", 255, 1025),
        ("frames", 15, 65),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, low: float, high: float) -> None:
    values: tuple[object, ...] = (low, high, "nan", "", [])
    for value in values:
        with pytest.raises(InvalidRecipe) as refusal:
            kinds.kind("dream").clean({name: value})
        assert set(refusal.value.errors) == {name}


# --- The page -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(("language", "name"), [("en", "Van Gogh"), ("zh-hans", "梵高")])
def test_the_page_shows_the_sheet(person: User, language: str, name: str) -> None:
    content = client_of(person, language).get("/studio/dream/").content.decode()
    assert Page(content).problems == []
    assert f'data-code="s3:4" data-name="{name}"' in content
    assert 'viewBox="96 0 96 96"' in content
    assert 'viewBox="0 96 96 96"' in content
    assert 'width="192" height="192"' in content
    assert "strokes <b>" not in content
    for stage in LISTED["channels"]:
        assert f'data-code="{stage}"' in content


@pytest.mark.django_db
@pytest.mark.usefixtures("bare")
def test_without_a_sheet_the_page_shows_layers(person: User) -> None:
    content = client_of(person).get("/studio/dream/").content.decode()
    assert Page(content).problems == []
    assert content.count("data-code=") == 3
    assert "sheet.webp" not in content


@pytest.mark.django_db
@pytest.mark.usefixtures("listed")
def test_a_dream_is_sent_and_said_in_words(person: User) -> None:
    client = client_of(person)
    sent = {"features": "sea*0.5, s2", "steps": "20", "size": "512", "zoom": "on", "key": "k"}
    assert client.post("/studio/dream/", sent).status_code == 302
    job = Job.objects.get()
    assert job.parameters["features"] == "s3:17*0.5, s2"
    assert job.parameters["zoom"] is True
    assert job.queue == "cnn"
    assert job_heading(job) == "A dream of sea, Textures"
    assert ("What to dream of", "sea 50%, Textures") in job_rows(job)
    again = client.get(f"/studio/dream/?again={job.pk}").content.decode()
    assert 'value="s3:17*0.5, s2"' in again
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "A dream of sea, Textures" in page


@pytest.mark.django_db
@pytest.mark.usefixtures("listed")
def test_what_is_wrong_stands_beside_the_text(client: Client, person: User) -> None:
    client.force_login(person)
    response = client.post("/studio/dream/", {"features": "s3:32, <i>", "key": "k"})
    page = Page(response.content.decode())
    assert response.status_code == 422
    assert page.problems == []
    assert "id_features_error" in page.ids
    assert 'value="s3:32, &lt;i&gt;"' in response.content.decode()
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_work_is_dreamt_on(person: User) -> None:
    work = factories.make_artwork(person)
    client = client_of(person)
    assert f"/studio/dream/?image={work.pk}" in client.get(f"/works/{work.pk}/").content.decode()
    assert f'value="{work.pk}" checked' in client.get(f"/studio/dream/?image={work.pk}").content.decode()
