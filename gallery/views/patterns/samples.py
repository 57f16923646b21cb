"""Rows for the pattern page. They are made in a transaction that the caller rolls back."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone

from gallery import kinds
from gallery.kinds import KindSpec
from gallery.kinds.verse_forms import CHINESE, ENGLISH, FORMS
from gallery.models import (
    Artwork,
    Job,
    JobInput,
    JobState,
    Lineage,
    Moderation,
    ModerationAction,
    ModerationEntry,
    Upload,
    User,
    Visibility,
    Worker,
)

DIGEST = "5a" * 32
PROMPT = "a lighthouse in the mist, boats returning at dusk, xyzzy"
UNDERSTOOD = [
    {"text": "a lighthouse", "words": ["lighthouse"]},
    {"text": " in the "},
    {"text": "mist", "words": ["fog"]},
    {"text": ", boats returning at "},
    {"text": "dusk", "words": ["sunset"]},
    {"text": ", "},
    {"text": "xyzzy", "nearest": ""},
]
CHINESE_LINES = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")
CHINESE_DETAILS: dict[str, Any] = {
    "pattern": "仄起首句不入韵",
    "rhyme": "十一尤",
    "craft": {
        "format": 1,
        "tones": ["仄仄平平仄", "平平仄仄平", "仄平平仄仄", "仄仄仄平平"],
        "marks": ["中仄平平仄", "平平中仄韵", "中平平仄仄", "中仄仄平韵"],
        "given": [0, 1],
        "breaches": {"tone": [3], "rhyme": [], "repeat": []},
        "options": [[[one, 0.5], ["江", 0.25]] for one in "".join(CHINESE_LINES)],
        "pinyin": [
            ["bái", "rì", "yī", "shān", "jìn"],
            ["huáng", "hé", "rù", "hǎi", "liú"],
            ["yù", "qióng", "qiān", "lǐ", "mù"],
            ["gèng", "shàng", "yì", "céng", "lóu"],
        ],
        "relaxed": [{"code": "given_tones", "characters": "山"}],
        "first_written": 0,
    },
    "picture": {"genre": "landscape", "objects": ["mountain"], "perhaps": ["boat"], "colours": ["navy"]},
}
ENGLISH_LINES = (
    "The moon is bright above the sea",
    "And silver on the sleeping town,",
    "It will not come again to me",
    "Until the evening settles down.",
)
STRESSES = {"silver": "10", "above": "01", "again": "01", "sleeping": "10", "until": "01", "evening": "10"}
STRESSES |= {"settles": "10"}


def _english_details() -> dict[str, Any]:
    lines = []
    for line in ENGLISH_LINES:
        pieces = []
        for word in line.split():
            text, mark = word.rstrip(",."), word[len(word.rstrip(",.")) :]
            options = [["star", 0.31], [text, 0.2]]
            pieces.append({"text": text, "stress": STRESSES.get(text.lower(), "1"), "options": options})
            if mark:
                pieces.append({"text": mark, "stress": "", "options": [[mark, 0.6], [";", 0.2]]})
        lines.append(pieces)
    form = next(slug for slug, form in FORMS.items() if form.language == ENGLISH and form.lines == 4)
    craft = {
        "format": 2,
        "language": ENGLISH,
        "scheme": "ABAB",
        "templates": ["wswswsws"] * 4,
        "lines": lines,
        "given": [],
    }
    return {"form": form, "author": "John Keats", "language": ENGLISH, "stanzas": [2, 2], "craft": craft}


def _analysis() -> dict[str, Any]:
    cells = bytes(round(255 * 2 ** -(((x - 5) ** 2 + (y - 4) ** 2) / 4)) for y in range(9) for x in range(12))
    heat = {"width": 12, "height": 9, "cells": base64.b64encode(cells).decode()}
    shares = {
        "style": {"Impressionism": 0.71, "Romanticism": 0.2, "Realism": 0.05},
        "painter": {"Claude Monet": 0.62, "Alfred Sisley": 0.11},
        "genre": {"landscape": 0.9, "cityscape": 0.06},
    }
    return {
        "format": 1,
        "heads": {
            head: [{"label": label, "share": share} for label, share in found.items()]
            for head, found in shares.items()
        },
        "maps": {head: [heat] * len(found) for head, found in shares.items()},
        "known": 0.93,
        "unlike": True,
        "near": [{"title": "Sunrise by the Sea", "artist": "Claude Monet"}],
        "palette": [
            {"colour": "#33506b", "name": "navy", "share": 0.4},
            {"colour": "#c9b48a", "name": "beige", "share": 0.35},
        ],
        "composition": {
            "brightness": 0.55,
            "contrast": 0.31,
            "saturation": 0.2,
            "symmetry": 0.7,
            "horizon": 0.4,
        },
        "reading": {"genre": "landscape", "light": "bright", "season": None, "objects": ["sea"]},
    }


@dataclass
class Samples:
    """People, jobs and works of every kind. ``jobs`` and ``works`` are by the kind's slug."""

    owner: User
    stranger: User
    moderator: User
    operator: User
    upload: Upload
    jobs: dict[str, Job] = field(default_factory=dict)
    works: dict[str, Artwork] = field(default_factory=dict)
    states: dict[str, Job] = field(default_factory=dict)
    """A job of the first kind in each state, and poems that are being written (``zh``, ``en``)."""
    listed: list[Artwork] = field(default_factory=list)
    moderated: dict[str, Artwork] = field(default_factory=dict)
    """A public work in each state of moderation but approved."""
    loops: list[Artwork] = field(default_factory=list)
    poems: dict[str, Artwork] = field(default_factory=dict)
    """A poem of each language, the first one written for a picture."""

    @property
    def picture(self) -> Artwork:
        """A picture with relatives."""
        return self.listed[0]

    def id_of(self, collection: str, key: Any) -> uuid.UUID:
        """The id of a row: ``("jobs", slug)``, ``("listed", 0)`` ..."""
        row: Job | Artwork = getattr(self, collection)[key]
        return row.pk


def make() -> Samples:
    """Insert everything."""
    owner = _person("Ana (sample)")
    samples = Samples(
        owner,
        _person("Ben (sample)"),
        _person("Mira (sample)", "moderate_artworks"),
        _person("Otto (sample)", "operate_workers"),
        Upload.objects.create(
            owner=owner,
            file="uploads/sample.png",
            width=640,
            height=480,
            size=1000,
            sha256=DIGEST,
            created_at=timezone.now(),
        ),
    )
    specs = list(kinds.KINDS.values())
    pictures = [spec for spec in specs if spec.makes == "picture"]
    for state in (Moderation.APPROVED, *Moderation.values):
        work = _work(owner, pictures[0], visibility=Visibility.PUBLIC, moderation=state)
        if state == Moderation.APPROVED:
            samples.listed.append(work)
        else:
            samples.moderated[state] = work
    _work(owner, pictures[0], visibility=Visibility.UNLISTED)
    for spec in specs:
        _add_kind(samples, spec)
    for state in JobState.values:
        samples.states[state] = _job(
            owner,
            pictures[0],
            state,
            phase="painting" if state == JobState.RUNNING else "",
            attempt=2 if state == JobState.RUNNING else 1,
            error_code="out_of_memory" if state == JobState.FAILED else "",
            error_operator="Traceback: CUDA out of memory" if state == JobState.FAILED else "",
            parameters={"count": 3},
        )
    samples.loops.append(_work(owner, pictures[0], video="artworks/sample.mp4", prompt=""))
    _add_relations(samples)
    Worker.objects.create(
        name="sample",
        host="studio",
        pid=4242,
        device="NVIDIA sample",
        queues=list(kinds.QUEUES),
        models_loaded=[{"name": "generator", "digest": DIGEST, "kind": pictures[0].slug}],
        current_job=samples.states[JobState.RUNNING],
        started_at=timezone.now(),
        seen_at=timezone.now(),
    )
    return samples


def _add_kind(samples: Samples, spec: KindSpec) -> None:
    """A finished job of ``spec`` with its inputs and works; for poems one of each language."""
    if spec.makes == "poem":
        texts = {
            CHINESE: (CHINESE_LINES, CHINESE_DETAILS),
            ENGLISH: (ENGLISH_LINES, _english_details()),
        }
        for language, (lines, details) in texts.items():
            form = next(slug for slug, form in FORMS.items() if form.language == language and form.lines == 4)
            parameters = {"form": form}
            job = _job(samples.owner, spec, JobState.SUCCEEDED, parameters=parameters)
            JobInput.objects.create(job=job, role=spec.inputs[0].role, artwork=samples.picture)
            poem = _work(
                samples.owner, spec, job=job, text="\n".join(lines), details=details, prompt="", file=""
            )
            Lineage.objects.create(child=poem, parent=samples.picture, relation="poem_of")
            samples.poems[language] = poem
            samples.states[language] = _job(samples.owner, spec, JobState.RUNNING, parameters=parameters)
            samples.jobs[spec.slug], samples.works[spec.slug] = job, poem
        return
    job = _job(samples.owner, spec, JobState.SUCCEEDED)
    for role in spec.inputs:
        source = {"upload": samples.upload} if role.required else {"artwork": samples.picture}
        JobInput.objects.create(job=job, role=role.role, **source)
    details = {"analysis": _analysis()} if spec.reads_pictures else {"understood": UNDERSTOOD}
    several = any(param.name == "count" for param in spec.params)
    for index in range(3 if several else 1):
        work = _work(samples.owner, spec, job=job, index=index, details=details)
        samples.works[spec.slug] = work
    samples.jobs[spec.slug] = job


def _add_relations(samples: Samples) -> None:
    """A family around the picture, and decisions of the moderator."""
    centre = samples.picture
    for parent, weight in ((samples.listed[1], 0.7), (None, 0.3)):
        Lineage.objects.create(child=centre, parent=parent, relation="parent", weight=weight)
    for state, action in (
        (Moderation.REJECTED, ModerationAction.REJECT),
        (Moderation.REMOVED, ModerationAction.REMOVE),
    ):
        work = samples.moderated[state]
        work.moderation_reason, work.moderation_note = "spam", "A note of the moderator."
        work.save()
        ModerationEntry.objects.create(
            artwork=work,
            artwork_ref=work.pk,
            moderator=samples.moderator,
            action=action,
            reason=work.moderation_reason,
            note=work.moderation_note,
            before=Moderation.PENDING,
            after=state,
            created_at=timezone.now(),
        )


def _person(name: str, *permissions: str) -> User:
    person = User.objects.create(username=name)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


def _defaults(spec: KindSpec) -> dict[str, Any]:
    parameters = {param.name: param.default for param in spec.params}
    return parameters | ({"prompt": PROMPT} if "prompt" in parameters else {})


def _job(
    owner: User, spec: KindSpec, state: str, parameters: dict[str, Any] | None = None, **fields: Any
) -> Job:
    now = timezone.now()
    started = state not in (JobState.QUEUED, JobState.EXPIRED)
    chosen = _defaults(spec) | (parameters or {})
    return Job.objects.create(
        owner=owner,
        kind=spec.slug,
        queue=spec.queue,
        parameters=chosen,
        seed=42,
        batch_key=spec.batch_key(chosen),
        idempotency_key=uuid.uuid4().hex,
        state=state,
        created_at=now - timedelta(seconds=40),
        started_at=now - timedelta(seconds=25) if started else None,
        finished_at=now if state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED) else None,
        **fields,
    )


def _work(owner: User, spec: KindSpec, **fields: Any) -> Artwork:
    values: dict[str, Any] = {
        "owner": owner,
        "kind": spec.slug,
        "prompt": PROMPT if spec.param("prompt") else "",
        "file": "artworks/sample.png",
        "thumbnail": "artworks/sample.webp",
        "width": 768,
        "height": 512,
        "size": 1000,
        "sha256": DIGEST,
        "colour": "#33506b",
        "model_digest": DIGEST,
        "created_at": timezone.now(),
        "published_at": timezone.now() if fields.get("visibility") == Visibility.PUBLIC else None,
    } | fields
    values["recipe"] = {
        "kind": spec.slug,
        "parameters": fields["job"].parameters if "job" in fields else _defaults(spec),
        "seed": 42,
        "index": values.get("index", 0),
        "inputs": {},
        "model": "sample",
        "digest": DIGEST,
    }
    if not values["file"]:
        values |= {"thumbnail": "", "width": 0, "height": 0, "colour": ""}
    return Artwork.objects.create(**values)
