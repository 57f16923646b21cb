"""Makes ``tests/data/old_studio``: the database and the small files of a studio as this code leaves them.

    python -m tests.make_old_database tests/data/old_studio

Real processes run real jobs: poems, analyses and one painting come from the shipped networks, all other works
from the engines of the tests, whose files are tiny. Run it at the commit whose rows are to be kept; what is
in the repository was made before the modules were regrouped (see ``tests/data/README.md``).
"""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.live.stack import Stack

LARGEST_FILE = 16_000
"""Files above this many bytes stay out: pages name them, but do not open them."""
TOYS = ",".join(
    f"{kind}=tests.toy_engines:Toy{kind.capitalize()}"
    for kind in ("paint", "blend", "upscale", "restyle", "dream")
)
TOYS_BUT_PAINT = TOYS.partition(",")[2]


class Studio:
    """A running studio and the shortest way to ask it for works."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def make(
        self, kind: str, owner: str = "ana", request: dict[str, Any] | None = None, **given: Any
    ) -> list[str]:
        """The ids of the works of a job that is waited for."""
        job = self.stack.submit(kind, owner=owner, request={"seed": 7, **(request or {})}, **given)
        self.stack.wait_state(job, "succeeded", timeout=240)
        return list(self.stack.job(job)["artworks"])

    def bring(self, kind: str, *arguments: str) -> None:
        """A job with pictures from files, through the command line."""
        out = str(self.stack.folder / "out")
        self.stack.manage(
            "submit", kind, "--user", "ana", "--seed", "7", "--out", out, *arguments, timeout=240
        )

    def call(self, service: str, **given: Any) -> None:
        """``moderation.artwork_approve`` and the like; ids and names stand for the rows."""
        module, _, name = service.partition(".")
        rows = {
            "artwork": "Artwork.objects.get(pk=given['artwork'])",
            "by": "User.objects.get(username=given['by'])",
            "entry": "ModerationEntry.objects.get(pk=given['entry'])",
        }
        arguments = ", ".join(f"{key}={rows.get(key, f'given[{key!r}]')}" for key in given)
        self.stack.ask(f"str(import_module('gallery.services.{module}').{name}({arguments}))", given=given)

    def publish(self, work: str, by: str = "ana") -> None:
        self.call("artworks.artwork_set_visibility", artwork=work, visibility="public", by=by)


def photo(folder: Path, name: str, size: tuple[int, int], colour: str) -> str:
    """A small picture with a horizon and a sun."""
    image = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 6 // 10, *size), fill="#25506b")
    draw.ellipse((size[0] // 2, 4, size[0] // 2 + 20, 24), fill="#ffe9b0")
    image.save(folder / name)
    return str(folder / name)


def fill(stack: Stack) -> None:
    """People, jobs of every kind and state, works with parents, decisions."""
    studio = Studio(stack)
    person = stack.console.call
    for name, permissions in {
        "ana": [], "ben": [], "mira": ["moderate_artworks"], "otto": ["operate_workers"],
    }.items():  # fmt: skip
        person("person", name=name, permissions=permissions, is_staff=name == "otto")
    sea = photo(stack.folder, "sea.png", (96, 64), "#d98b5f")
    pink = photo(stack.folder, "pink.png", (64, 96), "#c98fae")
    mask = photo(stack.folder, "mask.png", (96, 64), "white")

    stack.start_broker()
    stack.start_worker(env={"ARTSITE_ENGINES": TOYS_BUT_PAINT, "ARTSITE_SEEING": ""})
    (real,) = studio.make("paint", prompt="a stormy sea at sunset, Monet", count=1, size="256")
    stack.worker().stop()
    stack.start_worker(env={"ARTSITE_ENGINES": TOYS})

    one, two = studio.make("paint", prompt="sunset sea xyzzy", count=2)
    other = studio.make("paint", owner="ben", prompt="dusk", count=1)[0]
    studio.publish(other, by="ben")
    studio.call("moderation.artwork_approve", artwork=other, by="mira")
    studio.bring("paint", "--prompt", "sea", "--count", "1", "--picture", f"palette={pink}")
    child = studio.make(
        "blend",
        request={"inputs": {"parent_1": one, "parent_2": two}},
        weight_1=0.3, weight_2=0.7, count=1, mutation=0.25, colour_from="2",
    )[0]  # fmt: skip
    grandchild = studio.make(
        "blend", request={"inputs": {"parent_1": child}}, mode="mutate", mutation=0.4, count=2
    )[0]
    loop = studio.make(
        "blend", request={"inputs": {"parent_1": one, "parent_2": child}}, mode="bridge", frames=16
    )[0]
    studio.make("upscale", request={"inputs": {"image": grandchild}}, factor="4", texture=0.8)
    studio.bring("upscale", "--image", sea)
    studio.bring("restyle", "--image", sea, "--style", "great_wave", "--set", "strength=0.9")
    studio.bring(
        "restyle", "--image", sea, "--style", pink, "--picture", f"mask={mask}",
        "--set", "style_2=irises", "--set", "weight_2=0.4", "--set", "invert=on", "--set", "keep_colours=on",
    )  # fmt: skip
    restyled = studio.make("restyle", request={"inputs": {"image": child, "style": other}})[0]
    studio.make("restyle", request={"inputs": {"image": one}}, style="irises", slow=True, steps=20)
    studio.bring("dream", "--image", pink, "--set", "features=s2*2, s3:7", "--set", "octaves=3")
    studio.make("dream", request={"inputs": {"image": restyled}}, zoom=True, frames=16, step_size=0.03)
    studio.make("dream", size=256)
    studio.bring("analyse", "--image", sea)
    seen = studio.make("analyse", request={"inputs": {"image": real}})[0]

    poem = studio.make("verse", prompt="江上秋月", form="7jueju", poet="王维", count=2)[0]
    studio.make("verse", prompt="离愁", form="5lvshi", acrostic="天地玄黄", rhyme_book="modern")
    studio.make("verse", form="couplet", opening="明月松间照")
    studio.make("verse", prompt="落日", form="5jueju", opening="白日依山尽/□□□□流", dynasty="song")
    sonnet = studio.make("verse", prompt="the old sea", form="sonnet", english_poet="John Keats")[0]
    studio.make("verse", form="quatrain", opening="The moon is bright above the sea/_ upon the silver sand")
    studio.make("verse", prompt="雪", form="haiku", temperature=0.5, acrostic="SEA")
    studio.make("verse", request={"inputs": {"image": real}}, form="7jueju")
    studio.make("verse", request={"inputs": {"image": child}}, prompt="home", form="ballad")
    studio.bring("verse", "--image", sea, "--set", "form=quatrain")

    # Works that are shown, wait, were refused, taken down, shown again; a parent that is gone.
    for work in (one, child, poem, sonnet, restyled, seen, loop, grandchild):
        studio.publish(work)
    for work in (one, child, poem, restyled, loop):
        studio.call("moderation.artwork_approve", artwork=work, by="mira")
    studio.call("moderation.artwork_reject", artwork=seen, by="mira", reason="spam", note="Seen before.")
    studio.call("moderation.artwork_remove", artwork=restyled, by="mira", reason="spam", note="")
    studio.call(
        "moderation.moderation_undo", entry=stack.ask("ModerationEntry.objects.first().pk"), by="mira"
    )
    studio.call("moderation.artwork_remove", artwork=loop, by="mira", reason="spam", note="Asked to.")
    studio.call("artworks.artwork_set_visibility", artwork=real, visibility="unlisted", by="ana")
    studio.call("artworks.artwork_rename", artwork=child, title="秋江 & Sea", by="ana")
    studio.call("artworks.artwork_delete", artwork=two, by="ana")

    # Jobs that ended otherwise, and those that are under way when everything stops.
    for words in ("fail", "invalid"):
        job = stack.submit("paint", prompt=words)
        stack.wait_state(job, "failed")
    stack.ask(
        "submissions.job_retry(job=Job.objects.get(pk=job), by=User.objects.get(username='ana')).pk", job=job
    )
    stack.wait_for(lambda: stack.ask("Job.objects.filter(state='failed').count()") == 3)
    going = stack.submit("paint", prompt="steps=900 pause=0.1 sea", count=2)
    stack.wait_state(going, "running")
    canceled = stack.submit("verse", prompt="x")
    stack.cancel(canceled)
    late = stack.submit("dream", request={"deadline_seconds": 0})
    stack.ask("str(sweep.job_sweep())")
    stack.wait_state(late, "expired")
    asked = stack.submit("blend", request={"inputs": {"parent_1": one}}, mode="mutate", mutation=0.4)
    stack.submit("analyse", request={"inputs": {"image": one}})
    stack.submit("verse", owner="ben", prompt="waiting", form="limerick")
    stack.wait_for(lambda: stack.state(asked) == "queued")
    stack.kill()


def keep(stack: Stack, target: Path) -> None:
    """Write the dump, without sessions, and the files that are small."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "media").mkdir(parents=True)
    with sqlite3.connect(stack.data / "artsite.sqlite3") as connection:
        lines = [
            line for line in connection.iterdump() if not line.startswith('INSERT INTO "django_session"')
        ]
    text = "\n".join(lines).encode()
    # No time in the header: the same rows are the same file.
    (target / "database.sql.gz").write_bytes(gzip.compress(text, 9, mtime=0))
    media = stack.data / "media"
    for path in sorted(media.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST_FILE:
            kept = target / "media" / path.relative_to(media)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, kept)


def main() -> None:
    """Make it in the folder that the command line names."""
    with tempfile.TemporaryDirectory(prefix="old-studio-") as folder, Stack(Path(folder) / "s") as stack:
        fill(stack)
        keep(stack, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
