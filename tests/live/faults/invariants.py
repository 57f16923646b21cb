"""What must be true of a studio whatever happened to it: one checker for every fault test.

    I1 every accepted job reaches a final state          I5 attempts stay under the cap
    I2 at most one set of results per job, whole          I6 no file stays that no row owns
    I3 ``seq`` only grows, final states never change      I7 every process is ready again within 30 s
    I4 one idempotency key, one job

:class:`Witness` looks at the rows the whole time (I3). :func:`assert_hold` looks at what is left in the
end, I7 is the time limit of every start in :mod:`tests.live.stack` and of the supervisor in
:mod:`tests.live.faults.supervision`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tests.live.stack import FINAL, Stack

if TYPE_CHECKING:
    from gallery.models import Artwork, Job

LOOK_SECONDS = 0.02
ROWS = "SELECT id, seq, state, attempt FROM gallery_job"


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as the witness saw it last."""

    seq: int
    state: str
    attempt: int


class Witness(threading.Thread):
    """Reads all rows again and again while a test does its worst, and notes what may never be seen."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="witness", daemon=True)
        self.violations: list[str] = []
        self.looks = 0
        self._stack = stack
        self._seen: dict[str, Seen] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Witness:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.join(10)

    def run(self) -> None:
        """Look until the end, and once more after it."""
        with closing(self._connect()) as connection:
            while not self._ended.wait(LOOK_SECONDS):
                self._look(connection.execute(ROWS).fetchall())
            self._look(connection.execute(ROWS).fetchall())

    def _connect(self) -> Any:
        url = self._stack.env.get("DATABASE_URL")
        if url:
            import psycopg

            return psycopg.connect(url, autocommit=True)
        path = self._stack.data / "artsite.sqlite3"
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)

    def _look(self, rows: Iterable[tuple[Any, int, str, int]]) -> None:
        self.looks += 1
        for job_id, seq, state, attempt in rows:
            job, now = str(job_id), Seen(seq, state, attempt)
            before = self._seen.get(job)
            self._seen[job] = now
            if before is None or before == now:
                continue
            if before.state in FINAL:
                self.violations.append(f"I3 {job}: final, and changed: {before} -> {now}")
            elif now.seq <= before.seq:
                self.violations.append(f"I3 {job}: seq does not grow: {before} -> {now}")


def assert_hold(stack: Stack, accepted: Collection[str], witness: Witness | None = None) -> None:
    """Every invariant that the rows and files can show, once all jobs of the stack should be done.

    ``accepted``: the ids that submitters were given. Every job is final now and nothing is at work.
    """
    found = list(stack.ask(f"import_module({__name__!r}).violations(jobs)", jobs=sorted(set(accepted))))
    if witness is not None:
        assert witness.looks, "the witness saw nothing"
        found += witness.violations
    assert not found, "\n".join([*found, stack.tails()])


# --- In the console, where Django is --------------------------------------------------------------------


def violations(accepted: Collection[str]) -> list[str]:
    """Everything that does not hold, one line each. Deletes the files that the hourly sweep would delete."""
    from gallery.models import Artwork, Job
    from gallery.services.artworks import orphan_files_sweep

    rows = {str(job.pk): job for job in Job.objects.exclude(idempotency_key__startswith="picture-")}
    found = [f"I1 {job}: accepted, and gone" for job in accepted if job not in rows]
    found += [f"I4 {job}: nobody was told of it" for job in rows if job not in accepted]
    for job in rows.values():
        works = list(Artwork.objects.filter(job=job).order_by("index"))
        found += [
            f"{what} (job {job.pk}, {job.state}, attempt {job.attempt})" for what in _of_job(job, works)
        ]
    orphan_files_sweep(timedelta(0))
    found += _of_files()
    return found


def _of_job(job: Job, works: list[Artwork]) -> list[str]:
    from gallery.models import JobState
    from gallery.models.job import MAX_ATTEMPTS
    from gallery.services.files import FileDamaged, file_check

    found: list[str] = []
    if not job.is_final:
        found.append("I1 not final")
    if job.is_final and (job.lease_token or job.lease_expires_at or not job.finished_at):
        found.append("I1 final, and still leased")
    if job.attempt > MAX_ATTEMPTS:
        found.append("I5 too many attempts")
    expected = int(job.parameters.get("count", 1)) if job.state == JobState.SUCCEEDED else 0
    if [work.index for work in works] != list(range(expected)):
        found.append(f"I2 has results {[work.index for work in works]}, should have {expected}")
    for work in works:
        if not work.file:
            continue
        try:
            file_check(str(work.file.name), work.sha256)
            with work.thumbnail.open("rb") as file:
                file.read(1)
        except (OSError, FileDamaged) as problem:
            found.append(f"I2 work {work.pk}: {problem!r}")
    if job.state == JobState.FAILED and not (job.error_code and job.error_visitor and job.error_operator):
        found.append("I1 failed without saying why")
    return found


def _of_files() -> list[str]:
    from pathlib import Path

    from django.conf import settings

    from gallery.models import Artwork

    root = Path(settings.MEDIA_ROOT)
    there = {str(path.relative_to(root)) for path in root.glob("artworks/**/*") if path.is_file()}
    pairs = Artwork.objects.values_list("file", "thumbnail")
    owned = {name for pair in pairs for name in pair if name}
    return [f"I6 {name} belongs to no row" for name in sorted(there - owned)]
