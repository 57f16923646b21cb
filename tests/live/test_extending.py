"""The five steps of docs/extending.md to an engine, followed to the letter on a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.live.studio_process import Studio

pytestmark = pytest.mark.faults
COPIED = ("artsite", "gallery", "workers", "templates", "manage.py", "pyproject.toml")


def steps_of(page: str) -> dict[int, str]:
    """Number of the step -> its text."""
    parts = re.split(r"^\*\*(\d)\. ", page, flags=re.M)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def code_of(step: str) -> str:
    """The step's one block of Python."""
    (block,) = re.findall(r"```python\n(.*?)```", step, re.S)
    return str(block)


def test_five_steps_make_an_engine_that_paints(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    steps = steps_of((root / "docs" / "extending.md").read_text())
    assert sorted(steps) == [1, 2, 3, 4, 5]
    project = tmp_path / "project"
    project.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, project / name)

    (project / "gallery" / "catalogue" / "stripes.py").write_text(code_of(steps[1]))
    kinds = project / "gallery" / "catalogue" / "kinds.py"
    before, line, after = re.split(r"^(KINDS: .*\n)", kinds.read_text(), maxsplit=1, flags=re.M)
    assert (line + after).count("VERSE)") == 1
    imported = "from gallery.kinds.stripes import STRIPES\n\n"
    kinds.write_text(before + imported + (line + after).replace("VERSE)", "VERSE, STRIPES)"))

    models = tmp_path / "models"
    environment = {**child_environment, "PYTHONPATH": str(project), "ARTSITE_MODELS_DIR": str(models)}
    where = f"from pathlib import Path\nmodels_dir = Path({str(models)!r})\n"
    subprocess.run(
        [sys.executable, "-c", where + code_of(steps[2])],
        env=environment,
        cwd=project,
        check=True,
        timeout=120,
    )

    (project / "workers" / "engines" / "stripes.py").write_text(code_of(steps[3]))

    (variable,) = re.findall(r"ARTSITE_ENGINES=(\S+?:\w+)", steps[4])
    environment["ARTSITE_ENGINES"] = variable

    (words,) = re.findall(r"`manage\.py (submit stripes [^`]*)`", steps[5])
    with Studio(project, tmp_path / "var", environment) as studio:
        studio.wait_until_ready()
        studio.wait_for_line("worker-1 is ready")

        def manage(*words: str) -> None:
            subprocess.run(
                [sys.executable, "manage.py", *words, "--data", str(studio.data)],
                env={**environment, "DJANGO_SUPERUSER_PASSWORD": "correct horse"},
                cwd=project,
                check=True,
                timeout=120,
            )

        manage("createsuperuser", "--noinput", "--username", "ana", "--email", "")
        pictures = []
        for _ in range(2):
            manage(*words.split())
            with Image.open(project / "stripes.png") as picture:
                pictures.append(picture.convert("RGB"))
    assert pictures[0].size == (128, 128)
    rows = {pictures[0].getpixel((64, y)) for y in range(128)}
    assert len(rows) == 7
    # Red, as its weights say; and the same recipe is the same picture.
    assert all(pixel[0] >= pixel[1] == pixel[2] for pixel in rows)  # type: ignore[index]
    assert pictures[0].tobytes() == pictures[1].tobytes()
