"""The pictures that a worker gets for a job, and what it learns about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from gallery import kinds
from gallery.models import Artwork, Job, Moderation, User, Visibility
from gallery.services import submissions
from tests.web import factories
from workers.runtime.errors import InputMissing, failure_report
from workers.runtime.inputs import LocalInputs

pytestmark = pytest.mark.django_db
LATENT = {"format": 1, "styles": "AAAA", "shape": [1, 1], "noise_seed": 7, "noise_index": 0}


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: pytest.FixtureRequest) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")  # type: ignore[attr-defined]


def blend(owner: User, one: Artwork, two: object) -> Job:
    inputs = {"parent_1": one, "parent_2": two}
    return submissions.job_submit(owner=owner, kind="blend", parameters={}, inputs=inputs)  # type: ignore[arg-type]


def test_an_engine_learns_what_is_known_of_works_and_nothing_of_uploads(person: User) -> None:
    work = factories.make_artwork(person, details={"latent": LATENT, "fit": 0.3})
    with LocalInputs() as inputs:
        brought = inputs.bring(blend(person, work, factories.make_upload(person)))
    assert set(brought.paths) == {"parent_1", "parent_2"}
    assert brought.works == {
        "parent_1": {
            "kind": "paint",
            "model": "paint-test",
            "digest": factories.DIGEST,
            "details": {"latent": LATENT, "fit": 0.3},
        }
    }
    with Image.open(brought.paths["parent_1"]) as image:
        assert image.size == (64, 64)


@pytest.mark.parametrize(
    ("visibility", "moderation"),
    [(Visibility.PRIVATE, Moderation.APPROVED), (Visibility.PUBLIC, Moderation.REMOVED)],
)
def test_a_work_that_was_usable_at_submission_is_used_by_the_worker(
    person: User, stranger: User, visibility: str, moderation: str
) -> None:
    listed = factories.make_listed(person)
    job = blend(stranger, listed, factories.make_upload(stranger))
    Artwork.objects.filter(pk=listed.pk).update(visibility=visibility, moderation=moderation)
    with LocalInputs() as inputs:
        assert set(inputs.bring(job).paths) == {"parent_1", "parent_2"}
    with pytest.raises(kinds.InvalidRecipe) as refusal:
        blend(stranger, listed, factories.make_upload(stranger))
    assert set(refusal.value.errors) == {"parent_1"}


@pytest.mark.parametrize("how", ["row", "file"])
def test_a_picture_that_is_gone_is_named(person: User, how: str) -> None:
    kept, gone = factories.make_artwork(person), factories.make_artwork(person)
    job = blend(person, kept, gone)
    if how == "row":
        gone.delete()
    else:
        Path(gone.file.path).unlink()
    with LocalInputs() as inputs, pytest.raises(InputMissing) as missing:
        inputs.bring(job)
    assert missing.value.note == {"code": "input_missing", "role": "parent_2"}
    trouble = failure_report(missing.value)
    assert trouble.code == "input_missing"
    assert trouble.visitor.endswith("no longer there: Second parent.")
    assert str(job.pk) in trouble.operator
