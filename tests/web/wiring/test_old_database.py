"""A studio's database of an earlier version: it migrates, its pages open, its recipes repeat.

``tests/data/old_studio`` was left by real processes (``tests/make_old_database.py``): everything in it was
stored by older code, so a name that is kept in rows must still be understood.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from gallery.models import Artwork, Job, JobState, User, Visibility
from tests.web.site_pages import Page, client_of

OLD = Path(__file__).parents[2] / "data" / "old_studio"
KINDS = {"paint", "blend", "upscale", "restyle", "dream", "analyse", "verse"}


@pytest.fixture(scope="module")
def old_folder(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Path]:
    """The data folder of the old studio, its database migrated and in the place of the tests' own."""
    folder = tmp_path_factory.mktemp("old") / "data"
    shutil.copytree(OLD / "media", folder / "media")
    database = sqlite3.connect(folder / "artsite.sqlite3")
    database.executescript(gzip.decompress((OLD / "database.sql.gz").read_bytes()).decode())
    database.close()
    with django_db_blocker.unblock():
        own = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = str(folder / "artsite.sqlite3")
        ContentType.objects.clear_cache()
        try:
            call_command("migrate", verbosity=0)
            yield folder
        finally:
            connection.close()
            connection.settings_dict["NAME"] = own
            ContentType.objects.clear_cache()


@pytest.fixture
def old(old_folder: Path, db: None, settings: Any) -> Path:
    """The old studio for one test: what a test writes is rolled back."""
    settings.MEDIA_ROOT = old_folder / "media"
    return old_folder


def client(name: str) -> Client:
    return client_of(User.objects.get(username=name))


def test_it_holds_something_of_everything(old: Path) -> None:
    assert set(Job.objects.values_list("kind", flat=True)) == KINDS
    assert set(Artwork.objects.values_list("kind", flat=True)) == KINDS
    states = set(Job.objects.values_list("state", flat=True))
    assert states >= {"queued", "running", "succeeded", "failed", "canceled", "expired"}
    assert set(Artwork.objects.values_list("visibility", flat=True)) == set(Visibility.values)
    moderated = set(Artwork.objects.values_list("moderation", flat=True))
    assert moderated == {"pending", "approved", "rejected", "removed"}


def test_every_page_of_every_work_opens(old: Path) -> None:
    inscribed = 0
    for work in Artwork.objects.select_related("owner"):
        owner, moderator = client_of(work.owner), client("mira")
        names = ["artwork", "artwork_family", "artwork_delete", *(["artwork_similar"] if work.file else [])]
        if work.parents.filter(relation="poem_of").exists():
            names.append("artwork_inscribe")
            inscribed += 1
        for name in names:
            response = owner.get(reverse(name, args=[work.pk]))
            assert response.status_code == 200, (work, name)
            assert Page(response.content.decode()).problems == [], (work, name)
        seen_by_moderator = 404 if work.visibility == Visibility.PRIVATE else 200
        assert moderator.get(reverse("artwork", args=[work.pk])).status_code == seen_by_moderator, work
        seen_by_all = 200 if work.is_listed or work.visibility == Visibility.UNLISTED else 404
        assert Client().get(reverse("artwork", args=[work.pk])).status_code == seen_by_all, work
    assert inscribed


def test_every_page_of_every_job_opens(old: Path) -> None:
    operator = client("otto")
    for job in Job.objects.select_related("owner"):
        owner = client_of(job.owner)
        response = owner.get(reverse("job", args=[job.pk]))
        assert response.status_code == 200, job
        assert Page(response.content.decode()).problems == [], job
        told = owner.get(reverse("job_json", args=[job.pk])).json()
        works = [str(key) for key in job.artworks.order_by("index").values_list("pk", flat=True)]
        assert (told["state"], [one["id"] for one in told["outputs"]]) == (job.state, works)
        assert operator.get(reverse("job", args=[job.pk])).status_code == 200, job


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("", "gallery"),
        *((name, page) for name in ("ana", "ben") for page in ("my_works", "my_jobs", "picture_search")),
        ("mira", "moderation"),
        ("mira", "moderation_log"),
        ("otto", "workers"),
    ],
)
def test_the_lists_open(old: Path, name: str, page: str) -> None:
    response = (client(name) if name else Client()).get(reverse(page))
    assert response.status_code == 200
    assert Page(response.content.decode()).problems == []


def test_the_lists_are_not_empty(old: Path) -> None:
    waiting = Artwork.objects.filter(visibility="public", moderation="pending")
    listed = Artwork.objects.filter(visibility="public", moderation="approved")
    for browser, page, works in (
        (client("mira"), "moderation", waiting),
        (Client(), "gallery", listed),
        (client("ana"), "my_works", Artwork.objects.filter(owner__username="ana")),
    ):
        content = browser.get(reverse(page)).content.decode()
        assert works
        assert any(str(work.pk) in content for work in works), page
    assert "Asked to." in client("mira").get(reverse("moderation_log")).content.decode()


def test_files_are_served_as_they_were_stored(old: Path) -> None:
    stored = {path.name for path in (old / "media").rglob("*") if path.is_file()}
    served = 0
    for work in Artwork.objects.exclude(file="").select_related("owner"):
        if Path(work.file.name or "").name not in stored:
            continue
        response = client_of(work.owner).get(reverse("media_picture", args=[work.pk]))
        assert hashlib.sha256(response.getvalue()).hexdigest() == work.sha256
        served += 1
    assert served > 10


# --- What the engines told is still understood ------------------------------------------------------------


def page_of(work: Artwork) -> str:
    return client_of(work.owner).get(reverse("artwork", args=[work.pk])).content.decode()


def test_what_a_poem_was_made_of_is_told(old: Path) -> None:
    """Rows hold the annotations of a poem under the name ``craft``."""
    chinese = english = 0
    for work in Artwork.objects.filter(kind="verse"):
        content, annotations = page_of(work), work.details["craft"]
        if work.details.get("language") == "en":
            words = [piece for line in annotations["lines"] for piece in line if piece["stress"]]
            told = [words[0]["text"], *(str(option[0]) for option in words[-1]["options"][:2])]
            english += 1
        else:
            told = [reading for line in annotations["pinyin"] for reading in line]
            told += [option[0] for option in annotations["options"][-1][:2]]
            chinese += 1
        assert told
        assert [text for text in told if text not in content] == [], work
    assert chinese >= 5
    assert english >= 5


def test_what_was_read_in_a_picture_is_told(old: Path) -> None:
    read = [work for work in Artwork.objects.filter(kind="verse") if work.details.get("picture")]
    assert {work.details.get("language", "zh") for work in read} == {"en", "zh"}
    for work in read:
        content, told = page_of(work).casefold(), work.details["picture"]
        words = [*told["colours"], *told["perhaps"], *told.get("objects", ())]
        assert [word for word in words if word not in content] == [], work


def test_what_an_analysis_found_is_told(old: Path) -> None:
    works = Artwork.objects.filter(kind="analyse")
    assert len(works) == 2
    warm_maps = 0
    for work in works:
        content, found = page_of(work), work.details["analysis"]
        for near in found["near"]:
            assert near["artist"] in content
        for swatch in found["palette"]:
            assert swatch["colour"] in content
        for maps in found["maps"].values():
            # A map that is cold everywhere is not drawn.
            warm = [one["cells"] for one in maps if any(base64.b64decode(one["cells"]))]
            assert [cells for cells in warm if cells not in content] == [], work
            warm_maps += len(warm)
    assert warm_maps


def test_understood_words_are_marked(old: Path) -> None:
    works = [work for work in Artwork.objects.filter(kind="paint") if work.details["understood"]]
    assert len(works) >= 3
    for work in works:
        content = page_of(work)
        for segment in work.details["understood"]:
            if "words" in segment:
                assert f">{segment['text']}<" in content, segment


# --- Same again -------------------------------------------------------------------------------------------


class StudioFields(HTMLParser):
    """What a browser sends of the studio's form when nothing is changed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._inside = False
        self._select = self._area = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._inside = "data-studio" in given
        if not self._inside or "disabled" in given:
            return
        if tag == "input" and name:
            ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
            if ticked and given.get("type") != "file":
                self.values[name] = value if given.get("type") != "checkbox" else value or "on"
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in given or self._select not in self.values:
                self.values[self._select] = value
        elif tag == "textarea":
            self._area = name
            self.values[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            # HTML drops a line break right behind the tag.
            self.values[self._area] = self.values[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._inside and self._area:
            self.values[self._area] += data


def inputs_of(job: Job) -> dict[str, Any]:
    return {one.role: one.upload_id or one.artwork_id for one in job.inputs.all()}


def repeatable() -> list[Job]:
    """Finished jobs whose pictures are all there. One blend lost a parent."""
    done = list(Job.objects.filter(state=JobState.SUCCEEDED).select_related("owner"))
    whole = [job for job in done if None not in inputs_of(job).values()]
    assert len(whole) == len(done) - 1
    return whole


def check_same(new: Job, old: Job) -> None:
    assert (new.kind, new.parameters) == (old.kind, old.parameters)
    assert new.batch_key == old.batch_key
    assert inputs_of(new) == inputs_of(old)


@pytest.fixture
def unlimited(settings: Any) -> None:
    settings.ARTSITE_MAX_WAITING = 1000


def test_the_same_again_is_the_same_recipe(old: Path, unlimited: None) -> None:
    for job in repeatable():
        work = job.artworks.order_by("index")[0]
        assert work.recipe["parameters"] == job.parameters
        response = client_of(job.owner).post(reverse("artwork_again", args=[work.pk]), {"seed": "same"})
        new = Job.objects.latest("created_at")
        assert response["Location"] == reverse("job", args=[new.pk]), job
        check_same(new, job)
        assert (new.seed, new.publish_as) == (job.seed, job.publish_as)


def test_a_retry_is_the_same_recipe(old: Path, unlimited: None) -> None:
    for job in [*repeatable(), *Job.objects.filter(state__in=("failed", "canceled", "expired"))]:
        response = client_of(job.owner).post(reverse("job_retry", args=[job.pk]), {"key": f"r{job.pk}"})
        new = Job.objects.get(retry_of=job, idempotency_key=f"r{job.pk}")
        assert response["Location"] == reverse("job", args=[new.pk])
        check_same(new, job)
        assert new.seed == job.seed


def test_the_studio_is_filled_in_with_the_recipe(old: Path, unlimited: None) -> None:
    """Sent as it is, the form of ``?again=`` becomes the same job."""
    for job in repeatable():
        browser, address = client_of(job.owner), reverse("studio_kind", args=[job.kind])
        for some_id in (job.pk, job.artworks.order_by("index")[0].pk):
            page = browser.get(address, {"again": str(some_id)})
            assert page.status_code == 200
            fields = StudioFields(page.content.decode()).values
            response = browser.post(address, fields)
            assert response.status_code == 302, (job, fields)
            new = Job.objects.latest("created_at")
            assert response["Location"] == reverse("job", args=[new.pk])
            check_same(new, job)
            if "seed" in fields:
                assert new.seed == job.seed


def test_a_recipe_whose_parent_is_gone_leads_to_the_studio(old: Path) -> None:
    job = next(job for job in Job.objects.filter(kind="blend") if None in inputs_of(job).values())
    work = job.artworks.get()
    response = client_of(job.owner).post(reverse("artwork_again", args=[work.pk]), {"seed": "same"})
    assert response["Location"] == f"{reverse('studio_kind', args=['blend'])}?again={work.pk}"
    assert client_of(job.owner).get(response["Location"]).status_code == 200
