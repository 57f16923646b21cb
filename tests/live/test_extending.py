"""The five steps of docs/extending.md to an engine, followed to the letter on a copy of the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.live.studio_process import Studio
from tests.live.visitor import FIELD

pytestmark = pytest.mark.faults
COPIED = ("artsite", "gallery", "workers", "templates", "manage.py", "pyproject.toml")


def steps_of(page: str) -> dict[int, str]:
    """Number of the step -> its text."""
    parts = re.split(r"^\*\*(\d)\. ", page, flags=re.M)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def code_of(step: str, language: str = "python") -> str:
    """The step's one block of code in ``language``."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", step, re.S)
    return str(block)


def test_five_steps_make_a_kind_that_paints(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    steps = steps_of((root / "docs" / "extending.md").read_text())
    assert sorted(steps) == [1, 2, 3, 4, 5]
    project = tmp_path / "project"
    project.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, project / name)

    static = project / "gallery" / "static" / "gallery"
    (project / "gallery" / "kinds" / "stripes.py").write_text(code_of(steps[1]))
    (project / "templates" / "kinds" / "stripes").mkdir()
    (project / "templates" / "kinds" / "stripes" / "_form.html").write_text(code_of(steps[1], "html"))
    (static / "css" / "stripes.css").write_text(code_of(steps[1], "css"))
    (static / "js" / "stripes.js").write_text(code_of(steps[1], "js"))
    kinds = project / "gallery" / "kinds" / "registry.py"
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
        url = studio.wait_until_ready()
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
        Image.new("RGB", (30, 20), (200, 100, 50)).save(project / "sea.png")
        pictures = []
        for _ in range(2):
            manage(*words.split())
            with Image.open(project / "stripes.png") as picture:
                pictures.append(picture.convert("RGB"))
        check_pages(url)
    assert pictures[0].size == (128, 128)
    rows = {pictures[0].getpixel((64, y)) for y in range(128)}
    assert len(rows) == 7
    # Of the picture's colour; and the same recipe is the same picture.
    assert all(pixel[0] >= pixel[1] >= pixel[2] for pixel in rows)  # type: ignore[index]
    assert pictures[0].tobytes() == pictures[1].tobytes()


def check_pages(url: str) -> None:
    """The form has its own part, style and script; a job has its title and its note."""
    with httpx.Client(base_url=url, follow_redirects=True, headers={"Referer": url}) as client:
        fields = dict(FIELD.findall(client.get("/accounts/login/").text))
        client.post("/accounts/login/", data={**fields, "login": "ana", "password": "correct horse"})
        form = client.get("/studio/stripes/").text
        assert "data-stripes" in form
        assert 'name="direction"' in form
        for path in ("css/stripes", "js/stripes"):
            (address,) = re.findall(rf'"([^"]*{path}[^"]*)"', form)
            assert client.get(address).status_code == 200
        listed = client.get("/jobs/").text
        assert "7 stripes" in listed
        job = client.get(re.findall(r'href="(/jobs/[0-9a-f-]{36}/)"', listed)[0]).text
        assert "The colour of the picture is #c86432." in job
