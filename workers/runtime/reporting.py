"""What an engine reports on its way to pages, throttled: the newest progress, preview or text wins."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import Error as DatabaseProblem
from django.db import connection
from PIL import Image

from gallery import failpoints
from gallery.live import publisher
from gallery.live.messages import Message, job_preview, job_progress, job_text
from gallery.models import Job
from gallery.services import jobs
from workers.runtime.lease import Lease

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.3
PREVIEW_EVERY_SECONDS = 0.4
PREVIEW_PIXELS = 320
# Encoding may take at most this share of the engine's time.
PREVIEW_SHARE = 0.1


class Throttle:
    """Limits how often something happens. The first time is at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """Whether ``seconds`` have passed since the last time this was true."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self.seconds
        return True


class JobReport:
    """The Report of one job (see workers.engines.base): publishes a few messages per second.

    What comes too early waits for the next call; :meth:`flush` sends the rest.
    """

    def __init__(self, job: Job, lease: Lease) -> None:
        self.notes: list[dict[str, Any]] = []
        self._job = job
        self._lease = lease
        self._progress: tuple[int, int | None, str] | None = None
        self._previews: dict[int, Image.Image] = {}
        self._texts: dict[int, str] = {}
        self._progress_throttle = Throttle(EVERY_SECONDS)
        self._preview_throttle = Throttle(PREVIEW_EVERY_SECONDS)
        self._text_throttle = Throttle(EVERY_SECONDS)

    def phase(self, name: str) -> None:
        """Write the phase into the row; pages see it at once."""
        self._save(lambda: jobs.job_enter_phase(job_ids=[self._job.pk], token=self._lease.token, phase=name))

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        """Raises JobCanceled, LeaseLost or JobReleased when the work must end."""
        failpoints.reach("step")
        self._lease.check(self._job.pk)
        self._progress = (step, steps, message)
        self._send(final=False)

    def preview(self, image: Image.Image, index: int = 0) -> None:
        """Keep a picture until the next one may be sent. The caller does not change it any more."""
        self._previews[index] = image
        self._send(final=False)

    def text(self, text: str, index: int = 0) -> None:
        """Keep the poem so far until it may be sent."""
        self._texts[index] = text
        self._send(final=False)

    def note(self, code: str, **data: Any) -> None:
        """Write the note into the row; pages see it at once, and it stays with the job's result."""
        entry = {"code": code, **data}
        if entry not in self.notes:
            self.notes.append(entry)
            self._save(
                lambda: jobs.job_take_notes(job_id=self._job.pk, token=self._lease.token, notes=self.notes)
            )

    def enough(self) -> bool:
        """Whether the person pressed the button that keeps what there is."""
        return self._lease.is_finishing_early(self._job.pk)

    def flush(self) -> None:
        """Send what still waits: the last progress and texts. Previews give way to the results."""
        self._previews.clear()
        self._send(final=True)

    def _save(self, write: Callable[[], None]) -> None:
        try:
            with self._lease.waiting():
                write()
                self._job.refresh_from_db(fields=["seq", "phase"])
        except (DatabaseProblem, Job.DoesNotExist) as problem:
            # The work is worth more than what the page shows of it.
            logger.warning("cannot save what the engine reports: %s", problem)
            connection.close()

    def _send(self, *, final: bool) -> None:
        messages: list[Message] = []
        if self._progress is not None and (final or self._progress_throttle.due()):
            step, steps, message = self._progress
            fraction = min(1.0, step / steps) if steps else None
            messages.append(job_progress(self._job, fraction, step, steps, message))
            self._progress = None
        if self._texts and (final or self._text_throttle.due()):
            messages += [job_text(self._job, index, text) for index, text in self._texts.items()]
            self._texts.clear()
        if self._previews and self._preview_throttle.due():
            began = time.monotonic()
            messages += [self._preview_message(index, image) for index, image in self._previews.items()]
            self._previews.clear()
            cost = time.monotonic() - began
            self._preview_throttle.seconds = max(PREVIEW_EVERY_SECONDS, cost / PREVIEW_SHARE)
        if messages:
            publisher.publish(*messages)

    def _preview_message(self, index: int, image: Image.Image) -> Message:
        small = image.convert("RGB")
        small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS), Image.Resampling.BILINEAR)
        encoded = io.BytesIO()
        small.save(encoded, "WEBP", quality=70, method=0)
        return job_preview(self._job, index, encoded.getvalue(), small.width, small.height)
