"""The moderators' log: append-only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ModerationAction(models.TextChoices):
    """What a moderator did."""

    APPROVE = "approve", _("approved")
    REJECT = "reject", _("rejected")
    REMOVE = "remove", _("removed")
    UNDO = "undo", _("undone")


class ModerationEntry(models.Model):
    """One decision: who, what, why, before and after. Rows are never changed."""

    artwork = models.ForeignKey(
        "gallery.Artwork", on_delete=models.SET_NULL, null=True, related_name="moderation_log"
    )
    artwork_ref = models.UUIDField(help_text="the artwork's id, kept when the artwork is gone")
    moderator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    action = models.CharField(max_length=8, choices=ModerationAction.choices)
    reason = models.CharField(max_length=32, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")
    before = models.CharField(max_length=8)
    after = models.CharField(max_length=8)
    shown = models.CharField(max_length=64, blank=True, default="")
    """Digest of the title and the text that were decided on; empty in entries of earlier versions."""
    undoes = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="undone_by"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=["-created_at"], name="moderation_by_time"),)

    def __str__(self) -> str:
        return f"{self.action} {self.artwork_ref}"
