"""The end of an account: with everything that was its person's, and nothing that was not."""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from gallery.errors import Problem
from gallery.models import Artwork, Upload, User
from gallery.services import files
from gallery.services.accounts import security_log

log = logging.getLogger(__name__)


class LastAdministrator(Problem):
    """Without an administrator nobody could look after the studio."""

    def __init__(self) -> None:
        super().__init__("last_administrator", _("You are the only administrator: appoint another first."))


def account_erase(person: User) -> None:
    """Delete a person with their works, uploads, jobs and sessions; files go with the commit.

    Works that others made from theirs stay, with an empty place in their lineage; so do the decisions that
    the person took as a moderator, without a name. Raises LastAdministrator.
    """
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=person.pk)
        others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=held.pk)
        if held.is_superuser and not others.exists():
            raise LastAdministrator
        names = [
            str(name)
            for row in Artwork.objects.filter(owner=held).values_list("file", "thumbnail", "video")
            for name in row
            if name
        ]
        names += map(str, Upload.objects.filter(owner=held).values_list("file", flat=True))
        held.delete()
        files.files_delete_on_commit(names)
    security_log.record("account_erased", person=person.pk)
