"""The task that workers run when they are notified of a job."""

from __future__ import annotations

from artsite.celery import app
from gallery.dispatch import RUN_JOB
from workers.runtime import process


@app.task(name=RUN_JOB, ignore_result=True)
def run_job(job_id: str) -> None:
    """Make the jobs that wait, in their order: this one need not be the first, its id is only for the log."""
    process.work()
