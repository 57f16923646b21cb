"""People, and invitations to become one of them."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person with an account. Our own model from the first migration, so that it can grow."""

    name_skeleton = models.CharField(max_length=450, blank=True, default="", db_index=True, editable=False)
    """Equal for names that read the same: see ``gallery.services.accounts.names``."""

    class Meta(AbstractUser.Meta):
        permissions = (
            ("moderate_artworks", "Can moderate public works"),
            ("operate_workers", "Can see and drain workers"),
        )


class Invitation(models.Model):
    """A link with which one person may sign up. ``digest``: SHA-256 of its token."""

    digest = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    def __str__(self) -> str:
        return f"invitation until {self.expires_at:%Y-%m-%d}"
