"""Artworks, their lineage and embeddings, and the pictures that people upload."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

LATENT = "latent"
"""The entry of an artwork's details that no page, file or JSON shows."""


class Visibility(models.TextChoices):
    """Who the owner wants to show a work to."""

    PRIVATE = "private", _("Private")
    UNLISTED = "unlisted", _("Unlisted")
    PUBLIC = "public", _("Public")


class Moderation(models.TextChoices):
    """What the moderators decided about a work."""

    PENDING = "pending", _("waiting for review")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    REMOVED = "removed", _("removed")


class Upload(models.Model):
    """A picture that somebody brought, already re-encoded: no metadata, at most 2048 px."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    file = models.FileField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["owner", "-created_at"], name="upload_by_owner"),)

    def __str__(self) -> str:
        return f"upload {self.id}"


class Artwork(models.Model):
    """One result that somebody keeps: a picture (``file``) or a poem (``text``, one line per line).

    A loop of pictures is a picture whose ``file`` is an animated WebP, with the same loop as ``video`` (MP4).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="artworks")
    job = models.ForeignKey("gallery.Job", on_delete=models.SET_NULL, null=True, related_name="artworks")
    index = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=200, blank=True, default="")
    prompt = models.CharField(max_length=500, blank=True, default="")

    file = models.FileField(max_length=200, blank=True, default="")
    thumbnail = models.FileField(max_length=200, blank=True, default="")
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    size = models.PositiveIntegerField(default=0, help_text="bytes")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    video = models.FileField(max_length=200, blank=True, default="")
    video_sha256 = models.CharField(max_length=64, blank=True, default="")
    colour = models.CharField(max_length=7, blank=True, default="", help_text="mean colour, #rrggbb")
    text = models.TextField(blank=True, default="")

    generated = models.BooleanField(default=True)
    """Whether a network made it. False for a photo that was only analysed."""
    recipe: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    """kind, parameters, seed, index, inputs, model, digest: everything that decides the result."""
    details: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    """What the engine knows about it. ``latent`` is for engines alone: see :attr:`facts`."""
    model_digest = models.CharField(max_length=64, blank=True, default="")

    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE)
    moderation = models.CharField(max_length=8, choices=Moderation.choices, default=Moderation.PENDING)
    moderation_reason = models.CharField(max_length=32, blank=True, default="")
    moderation_note = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    """When it was last made public: the gallery's order and the review queue's."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "index"], name="artwork_one_per_output"),)
        indexes = (
            models.Index(
                fields=["-published_at", "-id"],
                condition=Q(visibility="public", moderation="approved"),
                name="artwork_gallery",
            ),
            models.Index(fields=["owner", "-created_at", "-id"], name="artwork_by_owner"),
            models.Index(
                fields=["published_at"],
                condition=Q(visibility="public", moderation="pending"),
                name="artwork_to_review",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture (else a poem)."""
        return bool(self.file)

    @property
    def is_animation(self) -> bool:
        """Whether it is a loop of pictures."""
        return bool(self.video)

    @property
    def facts(self) -> dict[str, Any]:
        """The details that people may read: all but the latent, which only engines understand."""
        return {name: value for name, value in self.details.items() if name != LATENT}

    @property
    def lines(self) -> list[str]:
        """The lines of a poem."""
        return self.text.split("\n") if self.text else []

    @property
    def seed(self) -> int:
        """The seed of its recipe."""
        return int(self.recipe.get("seed", 0))

    @property
    def is_listed(self) -> bool:
        """Whether everybody finds it in the gallery."""
        return self.visibility == Visibility.PUBLIC and self.moderation == Moderation.APPROVED


class Embedding(models.Model):
    """The vector that a network gives a picture; the cosine of two is high when they look alike.

    Ids rise, so that whoever keeps a list of them asks for the newer ones only. ``digest`` is that of the
    network's weights: vectors of two networks have nothing to do with each other.
    """

    LENGTH = 256

    id = models.BigAutoField(primary_key=True)
    artwork = models.OneToOneField(Artwork, on_delete=models.CASCADE, related_name="embedding")
    digest = models.CharField(max_length=64)
    signature = models.BinaryField(max_length=32)
    """The 256 signs of the vector, the first one in the highest bit."""
    vector = models.BinaryField(max_length=256)
    """256 signed bytes: the unit vector times 127 over its largest entry."""

    def __str__(self) -> str:
        return f"embedding of {self.artwork_id}"


class Lineage(models.Model):
    """An edge: ``child`` was made from ``parent`` (gone when the parent was deleted), and how."""

    child = models.ForeignKey(Artwork, on_delete=models.CASCADE, related_name="parents")
    parent = models.ForeignKey(Artwork, on_delete=models.SET_NULL, null=True, related_name="children")
    relation = models.CharField(max_length=16)
    """What the parent gave: ``image`` (its content), ``style``, ``palette``, ``parent`` ..."""
    weight = models.FloatField(null=True, blank=True)
    """Its share of the child, 0 to 1; None when shares have no meaning. A work that played two roles of one
    relation has one edge with the sum."""

    class Meta:
        constraints = (models.UniqueConstraint(fields=["child", "parent", "relation"], name="lineage_once"),)

    def __str__(self) -> str:
        return f"{self.child_id} from {self.parent_id} ({self.relation})"
