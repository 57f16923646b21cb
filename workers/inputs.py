"""A job's pictures as local files: in place when the storage is a folder, else copies for a while."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gallery.models import Artwork, Job, Upload
from workers.troubles import InputMissing


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

    def paths(self, job: Job) -> dict[str, Path]:
        """role -> picture file. Raises InputMissing."""
        found: dict[str, Path] = {}
        for given in job.inputs.select_related("upload", "artwork"):
            picture = given.upload or given.artwork
            if picture is None or not picture.file:
                raise InputMissing(f"the {given.role!r} of job {job.pk} was deleted")
            found[given.role] = self._local(picture)
        return found

    def _local(self, picture: Upload | Artwork) -> Path:
        storage, name = picture.file.storage, str(picture.file.name)
        try:
            path = Path(storage.path(name))
        except NotImplementedError:
            return self._copy(picture)
        if not path.is_file():
            raise InputMissing(f"{path} is gone")
        return path

    def _copy(self, picture: Upload | Artwork) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="artsite-inputs-"))
        self._count += 1
        path = self._folder / f"{self._count}{Path(str(picture.file.name)).suffix}"
        try:
            with picture.file.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as problem:
            raise InputMissing(f"{picture.file.name}: {problem}") from problem
        return path
