"""The doorbell's other end."""

from __future__ import annotations

from artsite.celery import app
from gallery.dispatch import RUN_JOB
from workers.runtime import process


@app.task(name=RUN_JOB, ignore_result=True)
def run_job(job_id: str) -> None:
    """Something waits, perhaps this job. Whoever's turn it is comes first, so the id is only for the log."""
    process.work()
