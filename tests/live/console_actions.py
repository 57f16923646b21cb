"""What fault tests have a console process do, next to the database and the broker."""

from __future__ import annotations

import os
import time


def publish_previews(job: str, rounds: int, pause: float) -> None:
    """Publish a preview of 32 KB for ``job`` again and again, as a worker with a fast engine would."""
    from gallery.live import messages, publisher
    from gallery.models import Job

    row = Job.objects.get(pk=job)
    # Another output than the worker's own: the two processes count their messages apart.
    index = 7
    for _ in range(rounds):
        publisher.publish(messages.job_preview(row, index, os.urandom(32_000), 64, 64))
        publisher.flush(5)
        time.sleep(pause)


def claim(worker: str, most: int) -> list[tuple[str, str]]:
    """Claim once: (job id, token) of every job of the claim."""
    from gallery.services import jobs

    claimed = jobs.job_claim(queues=["rnn"], worker_name=worker, limit_for=lambda _: most)
    return [(str(job.pk), str(job.lease_token)) for job in claimed]


def finish(job: str, token: str) -> bool:
    """Close a claimed poem as the runner does; whether it was still ours."""
    from uuid import UUID

    from gallery.models import Job
    from gallery.services import artworks, jobs

    jobs.job_start_running(job_ids=[UUID(job)], token=UUID(token), phase="writing")
    prepared = artworks.artworks_build(Job.objects.get(pk=job), [artworks.PoemText(("春眠不觉晓",))])
    return jobs.job_finish(job_id=UUID(job), token=UUID(token), outputs=prepared)
