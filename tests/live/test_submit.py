"""``manage.py submit`` against a running studio, as operators and scripts use it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.live.stack import ROOT, Stack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Stack]:
    """Broker and worker, and an administrator who owns what is submitted."""
    with Stack(tmp_path_factory.mktemp("submit") / "s", template=migrated) as stack:
        stack.start_broker()
        stack.start_worker()
        stack.console.call("person", name="boss", is_superuser=True)
        yield stack


def submit(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in stack.env.items() if name != "ARTSITE_DATA"}
    command = [sys.executable, str(ROOT / "manage.py"), "submit", "--data", str(stack.data), *arguments]
    return subprocess.run(command, env=env, cwd=stack.folder, capture_output=True, text=True, timeout=90)


def test_one_result_is_a_file_and_several_are_a_folder(running: Stack) -> None:
    one = running.folder / "one.png"
    done = submit(running, "paint", "--prompt", "steps=2", "--count", "1", "--seed", "7", "--out", str(one))
    assert (done.returncode, done.stdout.split()) == (0, [str(one)]), done.stderr
    with Image.open(one) as picture:
        assert picture.format == "PNG"
        first = picture.convert("RGB").tobytes()

    two = running.folder / "two.png"
    done = submit(running, "paint", "--count", "2", "--seed", "7", "--out", str(two))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(running.folder / f"two-{number}.png") for number in (1, 2)]
    assert not two.exists()

    several = running.folder / "several"
    done = submit(running, "paint", "--set", "count=3", "--seed", "7", "--out", str(several))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in several.iterdir()) == ["01.png", "02.png", "03.png"]
    with Image.open(several / "01.png") as picture:
        assert picture.convert("RGB").tobytes() == first, "the same seed gives the same picture"


def test_a_poem_is_text_and_json_is_the_whole_job(running: Stack) -> None:
    poem = running.folder / "poem.txt"
    done = submit(running, "verse", "--prompt", "steps=2", "--out", str(poem), "--json")
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["state"], job["kind"], job["files"]) == ("succeeded", "verse", [str(poem)])
    assert job["outputs"][0]["text"] in poem.read_text("utf-8")


def test_what_an_analysis_found_is_in_its_json(running: Stack) -> None:
    photo = running.folder / "seen.png"
    Image.new("RGB", (80, 60), "teal").save(photo)
    out = running.folder / "looked-at.png"
    done = submit(running, "analyse", "--image", str(photo), "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)["facts"]
    assert facts["analysis"]["heads"]["style"][0]["label"] == "Impressionism"


def test_pictures_go_through_the_upload_pipeline(running: Stack) -> None:
    photo = running.folder / "photo.png"
    Image.new("RGB", (80, 60), "teal").save(photo)
    out = running.folder / "restyled.png"
    done = submit(running, "restyle", "--image", str(photo), "--style", "great_wave", "--out", str(out))
    assert done.returncode == 0, done.stderr
    with Image.open(out) as picture:
        assert picture.width > 0
    assert running.ask("Upload.objects.count()") == 1


def test_a_bridge_between_a_file_and_a_work_is_written_as_either_file(running: Stack) -> None:
    photo = running.folder / "parent.png"
    Image.new("RGB", (80, 60), "teal").save(photo)
    parents = ["--picture", f"parent_1={photo}", "--picture", f"parent_2={running.picture('boss')}"]
    settings = ["--set", "mode=bridge", "--set", "frames=16", "--set", "size=256"]
    for suffix, starts in ((".mp4", b"ftyp"), (".webp", b"WEBP")):
        out = running.folder / f"bridge{suffix}"
        done = submit(running, "blend", *parents, *settings, "--out", str(out))
        assert (done.returncode, done.stdout.split()) == (0, [str(out)]), done.stderr
        assert starts in out.read_bytes()[:16]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["paint", "--count", "0"], "count: Between 1 and 16."),
        (["paint", "--seed", "-1"], "--seed: A seed is a whole number"),
        (["paint", "--set", "colour=red"], "paint has no setting colour"),
        (["paint", "--set", "count"], "write NAME=VALUE"),
        (["restyle", "--style", "great_wave"], "image: Bring a picture."),
        (["restyle", "--image", "missing.png"], "missing.png: No such file"),
        (["blend", "--picture", "parent_1"], "write ROLE=FILE or ROLE=ID"),
        (["blend", "--picture", "parent_1=3f"], "3f: No such file"),
        (["blend", "--set", "mode=mutate"], "parent_1: Bring a picture."),
        (["restyle", "--image", "notes.txt", "--style", "udnie"], "notes.txt: "),
        (["paint", "--prompt", "invalid at=1"], "This cannot be made. [invalid_request]"),
        (["paint", "--user", "nobody"], "There is no user 'nobody'"),
        (["paint", "--out", "x.jpg"], "paint is written as .png"),
        (["verse", "--out", "x.png"], "verse is written as .txt"),
        (["blend", "--out", "x.gif"], "blend is written as .mp4 or .png or .webp"),
    ],
)
def test_errors_are_printed_and_the_exit_code_is_one(
    running: Stack, arguments: list[str], expected: str
) -> None:
    (running.folder / "notes.txt").write_text("not a picture")
    done = submit(running, *arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_who_signed_up_as_the_terminal_gets_none_of_its_works(stack: Stack) -> None:
    stack.console.call("person", name="terminal")
    done = submit(stack, "paint")
    assert done.returncode == 1
    assert "name a user with --user" in done.stderr


def test_a_studio_that_does_not_run_is_told_apart(stack: Stack, tmp_path: Path) -> None:
    stack.console.call("person", name="boss", is_superuser=True)
    done = submit(stack, "paint")
    assert done.returncode == 1
    assert "Is the studio running?" in done.stderr
    elsewhere = tmp_path / "nothing"
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "submit", "--data", str(elsewhere), "paint"],
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "not the data folder of a studio" in done.stderr
    assert not elsewhere.exists()
