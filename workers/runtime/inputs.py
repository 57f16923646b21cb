"""A job's pictures as local files: in place when the storage is a folder, else copies for a while."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import translation

from gallery.models import Artwork, Job, JobInput, Upload
from gallery.presentation import labels
from workers.runtime.errors import InputMissing


@dataclass(frozen=True, slots=True)
class Brought:
    """role -> picture file, and role -> what is known of the artwork there (see workers.engines.base.Task).

    A loop's file is its animated WebP, whose first frame is what opens.
    """

    paths: dict[str, Path]
    works: dict[str, Mapping[str, Any]]


class LocalInputs:
    """Brings pictures to this machine; a context manager that takes its copies away."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._count = 0

    def __enter__(self) -> LocalInputs:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def bring(self, job: Job) -> Brought:
        """Every picture of ``job``. Raises InputMissing for the first that is gone.

        Who may use a picture was asked when the job was submitted: one that its owner hid since then, or
        that moderators took down, is still there and is used.
        """
        paths: dict[str, Path] = {}
        works: dict[str, Mapping[str, Any]] = {}
        for given in job.inputs.select_related("upload", "artwork").order_by("pk"):
            picture = given.upload or given.artwork
            if picture is None or not picture.file:
                raise _missing(given, "was deleted")
            paths[given.role] = self._local(picture, given)
            if isinstance(picture, Artwork):
                works[given.role] = {
                    "kind": picture.kind,
                    "model": str(picture.recipe.get("model", "")),
                    "digest": picture.model_digest,
                    "details": picture.details,
                }
        return Brought(paths, works)

    def _local(self, picture: Upload | Artwork, given: JobInput) -> Path:
        storage, name = picture.file.storage, str(picture.file.name)
        try:
            path = Path(storage.path(name))
        except NotImplementedError:
            return self._copy(picture, given)
        if not path.is_file():
            raise _missing(given, f"is gone: {path}")
        return path

    def _copy(self, picture: Upload | Artwork, given: JobInput) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="artsite-inputs-"))
        self._count += 1
        path = self._folder / f"{self._count}{Path(str(picture.file.name)).suffix}"
        try:
            with picture.file.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as problem:
            raise _missing(given, f"is gone: {picture.file.name}: {problem}") from problem
        return path


def _missing(given: JobInput, what: str) -> InputMissing:
    with translation.override("en"):
        label = labels.role_label(given.job.kind, given.role)
    return InputMissing(f"the {given.role!r} of job {given.job_id} {what}", role=given.role, label=label)
