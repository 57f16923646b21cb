"""What fault tests have a console process do, next to the database and the broker."""

from __future__ import annotations

import os
import time


def shout(job: str, rounds: int, pause: float) -> None:
    """Publish a preview of 32 KB for ``job`` again and again, as a worker with a fast engine would."""
    from gallery import events
    from gallery.models import Job

    row = Job.objects.get(pk=job)
    # Another output than the worker's own: the two processes count their messages apart.
    index = 7
    for _ in range(rounds):
        events.publish(events.job_preview(row, index, os.urandom(32_000), 64, 64))
        events.flush(5)
        time.sleep(pause)
