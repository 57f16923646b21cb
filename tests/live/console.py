"""A process of the studio that does what a test says, with the same services as the web.

``python -m tests.live.console``: each line of standard input is ``{"do": name, "with": {...}}``, each line of
standard output ``{"value": ...}`` or ``{"error": type, "text": ...}``. Tests use it by ``Stack.ask``.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.models import Permission  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from PIL import Image  # noqa: E402

from gallery import dispatch, models  # noqa: E402
from gallery.selectors import queue, workers  # noqa: E402
from gallery.services import jobs, submissions, sweep  # noqa: E402
from gallery.services.workers import worker_drain  # noqa: E402

NAMES: dict[str, Any] = {
    **{name: getattr(models, name) for name in models.__all__},
    "call_command": call_command,
    "dispatch": dispatch,
    "import_module": import_module,
    "jobs": jobs,
    "queue": queue,
    "settings": settings,
    "submissions": submissions,
    "sweep": sweep,
    "worker_drain": worker_drain,
    "workers": workers,
}


def person(name: str, permissions: tuple[str, ...] | list[str] = (), **fields: Any) -> models.User:
    """The user of that name, made when missing; the password is ``correct horse``."""
    user = models.User.objects.filter(username=name).first()
    if user is None:
        user = models.User.objects.create_user(name, password="correct horse", **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def submit(owner: str, kind: str, **request: Any) -> str:
    """The id of a submitted job. ``inputs``: role -> artwork id."""
    inputs = {role: models.Artwork.objects.get(pk=key) for role, key in request.pop("inputs", {}).items()}
    job = submissions.job_submit(owner=person(owner), kind=kind, inputs=inputs, **request)
    # The notification is sent by a thread of this process; the test may kill it any time.
    dispatch.flush(5)
    return str(job.pk)


def cancel(job: str, by: str) -> str:
    """The state of the job after the cancel."""
    return str(jobs.job_cancel(job_id=job, by=person(by)).state)  # type: ignore[arg-type]


def job(job: str) -> dict[str, Any]:
    """Every column of the row, and its artworks' ids in order."""
    row = models.Job.objects.filter(pk=job).values().get()
    works = models.Artwork.objects.filter(job_id=job).order_by("index").values_list("pk", flat=True)
    return {**row, "artworks": list(works)}


def session(name: str) -> dict[str, str]:
    """A cookie (name and value) of somebody who is signed in."""
    user, store = person(name), SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return {settings.SESSION_COOKIE_NAME: str(store.session_key)}


def picture(name: str, width: int = 64, height: int = 48) -> str:
    """The id of an artwork of that person, with a real file: something to make something from."""
    from django.utils import timezone

    from gallery.services.artworks import PictureFile, artworks_build, artworks_save

    job = models.Job.objects.create(
        owner=person(name),
        kind="paint",
        queue="gan",
        seed=1,
        batch_key="paint",
        idempotency_key=f"picture-{models.Job.objects.count()}",
        state=models.JobState.SUCCEEDED,
        created_at=timezone.now(),
    )
    return str(
        artworks_save(artworks_build(job, [PictureFile(Image.new("RGB", (width, height), "teal"))]))[0].pk
    )


def evaluate(expression: str, **names: Any) -> Any:
    """The value of a Python expression in which models and services are known by name."""
    return eval(expression, {**NAMES, "Path": Path, **names})  # noqa: S307 (the test wrote it)


ACTIONS = {action.__name__: action for action in (cancel, evaluate, job, picture, session, submit)} | {
    "person": lambda **given: person(**given).pk
}


def main() -> None:
    """Answer line by line until standard input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer: dict[str, Any] = {"value": ACTIONS[order["do"]](**order["with"])}
        except Exception as problem:
            answer = {"error": type(problem).__name__, "text": str(problem)}
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
