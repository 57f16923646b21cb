"""``manage.py submit KIND``: ask a running studio for a work from a terminal or a script."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from gallery import kinds
from gallery.live import recent
from gallery.models import Artwork, Job, JobState, Upload, User
from gallery.presentation import payloads
from gallery.presentation.english_poem import stanza_text
from gallery.selectors import artworks as selectors
from gallery.selectors import queue
from gallery.services import images, submissions, uploads

POLL_SECONDS = 0.1
BAR_WIDTH = 28
SUFFIX = {"picture": ".png", "poem": ".txt"}
LOOP_SUFFIX, VIDEO_SUFFIX = ".webp", ".mp4"
TERMINAL = "terminal"


class Command(BaseCommand):
    """Submits one job through the same service as the pages, waits for it and writes the result."""

    help = "Submit a job to a running studio, wait for it, and write the result."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line; ``--data DIR`` is taken by manage.py before settings load."""
        parser.add_argument("kind", choices=sorted(kinds.KINDS), help="what to make")
        parser.add_argument("--prompt", help="the prompt, or a poem's theme")
        parser.add_argument("--image", type=Path, metavar="FILE", help="the picture to work on")
        parser.add_argument(
            "--style", metavar="FILE|NAME", help="a style picture, or the name of a ready style"
        )
        parser.add_argument(
            "--picture",
            action="append",
            default=[],
            metavar="ROLE=FILE|ID",
            help="a picture in any role, from a file or as the id of a work: parent_1=sea.png",
        )
        parser.add_argument("--count", type=int, help="how many")
        parser.add_argument("--seed", help="a whole number; left out, one is drawn")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
        )
        parser.add_argument("--user", help="whose work it is (a user name); default: the first administrator")
        parser.add_argument(
            "--out", type=Path, metavar="PATH", help="a file, or a folder when there are several"
        )
        parser.add_argument("--json", action="store_true", help="print the whole job as JSON")
        parser.add_argument("--data", metavar="DIR", help="the studio's data folder (default: var)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Submit, wait, write. Raises CommandError with one sentence for every expected failure."""
        try:
            self._run(options)
        except DatabaseError as error:
            raise CommandError(
                f"This is not the data folder of a studio that was started: {error}"
            ) from error

    def _run(self, options: Mapping[str, Any]) -> None:
        kind = kinds.kind(options["kind"])
        owner = _owner(options["user"])
        if not queue.expected_wait(kind.slug).feasible:
            raise CommandError(f"No worker serves {kind.slug!r} now. Is the studio running? (make run)")
        _check_out(kind, options["out"])
        parameters, inputs = _parameters(kind, options), _pictures(owner, options)
        if "style" in inputs:
            parameters.pop("style", None)
        try:
            seed = None if options["seed"] is None else kinds.clean_seed(options["seed"])
        except ValueError as error:
            raise CommandError(f"--seed: {error}") from error
        try:
            job = submissions.job_submit(
                owner=owner, kind=kind.slug, parameters=parameters, seed=seed, inputs=inputs
            )
        except kinds.InvalidRecipe as error:
            raise CommandError(
                "\n".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in error.errors.items())
            ) from error
        except submissions.QuotaExceeded as error:
            raise CommandError(str(error.visitor)) from error
        job = self._wait(job)
        if job.state != JobState.SUCCEEDED:
            reason = job.error_visitor or f"The job was {job.get_state_display()}."
            raise CommandError(f"{reason} [{job.error_code or job.state}]\n{job.error_operator}".strip())
        written = _write(list(job.artworks.order_by("index")), kind, options["out"])
        if options["json"]:
            payload = payloads.job_payload(job, owner) | {"files": [str(path) for path in written]}
            payload["facts"] = [work.facts for work in job.artworks.order_by("index")]
            self.stdout.write(json.dumps(payload, ensure_ascii=False, indent=2, default=str))
            return
        for note in job.notes:
            self.stderr.write(f"note: {json.dumps(note, ensure_ascii=False)}")
        for path in written:
            self.stdout.write(str(path))

    def _wait(self, job: Job) -> Job:
        """Follow the row, which is the truth, until it is final; draw a bar on a terminal."""
        on_terminal = sys.stderr.isatty()
        last = ""
        try:
            while not job.is_final:
                if on_terminal and (line := _status(job)) != last:
                    last = line
                    self.stderr.write(f"\r\033[K{line}", ending="")
                    self.stderr.flush()
                time.sleep(POLL_SECONDS)
                job.refresh_from_db()
        except KeyboardInterrupt:
            raise CommandError(f"Left job {job.id} to itself; it goes on and its page shows it.") from None
        finally:
            if on_terminal:
                self.stderr.write("\r\033[K", ending="")
        return job


def _owner(name: str | None) -> User:
    """The user ``name``; or the first administrator; or, while there is none, an account for the terminal.

    Whoever may write to the data folder may do everything, so nobody has to be made first. Raises
    CommandError.
    """
    users = User.objects.filter(is_active=True)
    owner = (
        users.filter(username=name).first()
        if name
        else users.filter(is_superuser=True).order_by("pk").first()
    )
    if owner is None and name:
        raise CommandError(f"There is no user {name!r}.")
    return owner or _terminal_user()


def _terminal_user() -> User:
    """Who owns what is made from a terminal before there is an administrator. Nobody can sign in as it.

    Raises CommandError when somebody signed up under that name: works of the terminal are not theirs.
    """
    user = User.objects.filter(username=TERMINAL).first() or User.objects.create_user(TERMINAL)
    if user.has_usable_password():
        raise CommandError("The studio has no administrator yet; name a user with --user.")
    return user


def _parameters(kind: kinds.KindSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from the named options and from ``--set``."""
    found: dict[str, Any] = {name: options[name] for name in ("prompt", "count") if options[name] is not None}
    if options["style"] and not Path(options["style"]).is_file():
        found["style"] = options["style"]
    for pair in options["set"]:
        name, separator, value = pair.partition("=")
        if not separator:
            raise CommandError(f"--set {pair}: write NAME=VALUE")
        found[name] = value
    unknown = [name for name in found if kind.param(name) is None]
    if unknown:
        known = ", ".join(param.name for param in kind.params)
        raise CommandError(f"{kind.slug} has no setting {', '.join(unknown)}; it has {known}")
    return found


def _pictures(owner: User, options: Mapping[str, Any]) -> dict[str, Upload | Artwork]:
    """The pictures that were named: works, and files through the pipeline of an upload in the browser."""
    named: dict[str, str] = {}
    if options["image"] is not None:
        named["image"] = str(options["image"])
    if options["style"] and Path(options["style"]).is_file():
        named["style"] = options["style"]
    for pair in options["picture"]:
        role, separator, value = pair.partition("=")
        if not separator:
            raise CommandError(f"--picture {pair}: write ROLE=FILE or ROLE=ID")
        named[role] = value
    return {role: _picture(owner, value) for role, value in named.items()}


def _picture(owner: User, value: str) -> Upload | Artwork:
    path = Path(value)
    work = None if path.is_file() else selectors.input_artwork(owner, value)
    if work is not None:
        return work
    try:
        with path.open("rb") as file:
            return uploads.upload_create(owner=owner, file=File(file, name=path.name))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except images.PictureRejected as error:
        raise CommandError(f"{path}: {error.visitor}") from error


def _status(job: Job) -> str:
    """One line: a bar when the worker tells a fraction, else the state in words."""
    if job.state == JobState.QUEUED:
        place = queue.position(job)
        return f"waiting, {place.ahead} before it" if place else "waiting"
    told = [message["data"] for message in recent.recall(job.pk) if message["type"] == "job.progress"]
    fraction = told[-1]["fraction"] if told else None
    if fraction is None:
        return f"{job.get_state_display()} {job.phase}".strip()
    filled = round(BAR_WIDTH * fraction)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {fraction:4.0%} {job.phase}"


def _check_out(kind: kinds.KindSpec, out: Path | None) -> None:
    """Before the work is made: raises CommandError for a file that would not be what its name says."""
    suffixes = {SUFFIX[kind.makes]}
    if any(param.name == "mode" or param.name == "zoom" for param in kind.params):
        suffixes |= {LOOP_SUFFIX, VIDEO_SUFFIX}
    if out is not None and not out.is_dir() and out.suffix.lower() not in {"", *suffixes}:
        raise CommandError(f"--out {out}: {kind.slug} is written as {' or '.join(sorted(suffixes))}")


def _write(artworks: list[Artwork], kind: kinds.KindSpec, out: Path | None) -> list[Path]:
    """Write one result to ``out`` (default: a name of its own here), several into the folder ``out``.

    Where ``out`` is the name of a file, several get its name and a number: ``sea-1.png``, ``sea-2.png``.
    """
    suffix = LOOP_SUFFIX if any(one.is_animation for one in artworks) else SUFFIX[kind.makes]
    name = f"{kind.slug}-{str(artworks[0].job_id)[:8]}" if artworks else kind.slug
    try:
        if len(artworks) == 1:
            target = out or Path(f"{name}{suffix}")
            paths = [target / f"{name}{suffix}" if target.is_dir() else target]
        elif out is not None and out.suffix and not out.is_dir():
            paths = [out.with_stem(f"{out.stem}-{number + 1}") for number in range(len(artworks))]
        else:
            folder = out or Path(name)
            folder.mkdir(parents=True, exist_ok=True)
            paths = [folder / f"{number + 1:02d}{suffix}" for number in range(len(artworks))]
        for path, artwork in zip(paths, artworks, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(artwork, path.suffix))
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    return paths


def _content(artwork: Artwork, suffix: str) -> bytes:
    """The result as a file of this ``suffix``: of a loop ``.mp4`` is the video, else the animated WebP."""
    if not artwork.is_picture:
        return f"{artwork.title}\n\n{stanza_text(artwork)}\n".lstrip("\n").encode()
    video = artwork.is_animation and suffix.lower() == ".mp4"
    with default_storage.open((artwork.video if video else artwork.file).name or "") as file:
        return bytes(file.read())
