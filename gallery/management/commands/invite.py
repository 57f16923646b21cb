"""``manage.py invite``: a link with which one person may sign up."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from gallery.services.accounts import invitations


class Command(BaseCommand):
    """Prints the link; it is shown once, only its hash is kept."""

    help = "Make a link with which one person may sign up (ARTSITE_SIGNUP=invite)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--days", type=int, default=invitations.DAYS, help="how long it is good for")
        parser.add_argument("--note", default="", help="for whom, for your own list in the administration")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when nobody could use it."""
        if settings.ARTSITE_SIGNUP != "invite":
            raise CommandError(f"ARTSITE_SIGNUP is {settings.ARTSITE_SIGNUP!r}; links count with 'invite'.")
        if not 1 <= options["days"] <= 365:
            raise CommandError("--days: 1 to 365")
        token = invitations.invitation_create(days=options["days"], note=options["note"])
        path = reverse("invitation", args=[token])
        self.stdout.write((settings.ORIGINS[0] if settings.ORIGINS else "") + path)
