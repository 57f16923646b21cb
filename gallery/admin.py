"""Django's administration: accounts to change, everything else to read. Decisions belong to the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from gallery.models import Artwork, Job, ModerationEntry, Upload, User, Worker

if TYPE_CHECKING:
    ReadOnlyBase = admin.ModelAdmin[Model]
    PeopleBase = UserAdmin[User]
else:
    ReadOnlyBase, PeopleBase = admin.ModelAdmin, UserAdmin


@admin.register(User)
class PeopleAdmin(PeopleBase):
    """Accounts, groups and permissions."""


class ReadOnlyAdmin(ReadOnlyBase):
    """Rows that are only looked at: a change here would go past the rules, the log and the files."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs with the operators' text of their failures."""

    list_display = ("id", "kind", "state", "owner", "attempt", "worker_name", "error_code", "created_at")
    list_filter = ("kind", "state", "error_code")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username", "worker_name")
    exclude = ("parameters", "notes", "seed", "batch_key", "idempotency_key")


@admin.register(Artwork)
class ArtworkAdmin(ReadOnlyAdmin):
    """Works; moderators decide about them on their own page."""

    list_display = ("id", "kind", "owner", "visibility", "moderation", "created_at")
    # Works are looked at on their pages, by those who may see them.
    exclude = ("details", "title", "prompt", "text", "recipe", "file", "thumbnail", "video", "sha256")
    list_filter = ("kind", "visibility", "moderation")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username")


@admin.register(ModerationEntry)
class ModerationEntryAdmin(ReadOnlyAdmin):
    """The log: append-only."""

    list_display = ("created_at", "moderator", "action", "reason", "artwork_ref", "before", "after")
    list_filter = ("action", "reason")
    list_select_related = ("moderator",)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """Pictures that people brought."""

    list_display = ("id", "owner", "width", "height", "size", "created_at")
    list_select_related = ("owner",)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers; the drain is on the operators' page."""

    list_display = ("name", "host", "device", "draining", "succeeded", "failed", "seen_at")
