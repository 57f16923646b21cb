"""Names of accounts: stored in one form, and never one that reads like somebody else's.

Two names are confusable when they have the same skeleton (Unicode Technical Standard 39): full-width, Greek
and Cyrillic look-alikes, capitals and accents fall together.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from confusable_homoglyphs.confusables import confusables_data
from django.db.models.signals import post_migrate, pre_save
from django.dispatch import receiver

from gallery.kinds import clean_text
from gallery.models import User

RESERVED = frozenset(
    [
        "abuse",
        "admin",
        "administrator",
        "anonymous",
        "api",
        "artsite",
        "deleted",
        "everybody",
        "everyone",
        "gallery",
        "guest",
        "help",
        "hostmaster",
        "info",
        "mail",
        "moderation",
        "moderator",
        "nobody",
        "noreply",
        "official",
        "operator",
        "postmaster",
        "root",
        "security",
        "staff",
        "studio",
        "support",
        "system",
        "terminal",
        "webmaster",
        "www",
        "管理员",
        "官方",
        "客服",
        "系统",
        "匿名",
    ]
)
"""Names that would speak for the site; the last are administrator, official, service, system, anonymous."""

LONGEST = 450
# Casefolding comes first, so that a capital I is an i, and what looks like it must be one too.
_DIGITS = str.maketrans("01l|", "oiii")


class NameTaken(ValueError):
    """Somebody else's name reads the same, or nobody may have it."""


def clean_name(name: str) -> str:
    """The form in which a name is stored: NFKC, nothing invisible."""
    return clean_text(unicodedata.normalize("NFKC", name))


def skeleton(name: str) -> str:
    """Equal for names that read the same; at most LONGEST characters."""
    text = unicodedata.normalize("NFKC", clean_name(name)).casefold()
    letters = unicodedata.normalize("NFD", "".join(_prototype(char) for char in text))
    return "".join(char for char in letters if not unicodedata.combining(char)).translate(_DIGITS)[:LONGEST]


def _prototype(char: str) -> str:
    """One of all characters that look like this one: a plain letter or digit where there is one."""
    alike = {char, *(one["c"] for one in confusables_data.get(char, ()) if len(one["c"]) == 1)}
    plain = sorted(one.casefold() for one in alike if one.isascii() and one.isalnum())
    found: str = plain[-1] if plain else min(alike)  # letters come after digits
    return found


_RESERVED = frozenset(skeleton(name) for name in RESERVED)


def check_name(name: str) -> None:
    """Raises NameTaken for a reserved name, and one that reads like the name of an account."""
    own = skeleton(name)
    if own in _RESERVED or User.objects.filter(name_skeleton=own).exists():
        raise NameTaken(name)


@receiver(pre_save, sender=User, dispatch_uid="names_skeleton")
def _keep_skeleton(instance: User, **_: Any) -> None:
    instance.name_skeleton = skeleton(instance.username)


@receiver(post_migrate, dispatch_uid="names_skeletons")
def _fill_skeletons(app_config: Any, **_: Any) -> None:
    """Accounts of earlier versions have none."""
    if app_config.name == "gallery":
        for person in User.objects.filter(name_skeleton="").only("pk", "username").iterator():
            User.objects.filter(pk=person.pk).update(name_skeleton=skeleton(person.username))
