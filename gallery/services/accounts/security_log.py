"""What matters when somebody asks "who was that?": one line each on the logger ``artsite.security``.

Lines say what happened to which account, and from which address; never a password, a token or a prompt.
"""

from __future__ import annotations

import logging
from typing import Any

from allauth.account import signals as account
from django.contrib.auth import signals as auth
from django.contrib.auth.models import Group
from django.db.models.signals import m2m_changed, post_delete
from django.dispatch import receiver
from django.http import HttpRequest

from gallery.models import User

log = logging.getLogger("artsite.security")


def record(event: str, *, person: object = None, request: HttpRequest | None = None, **facts: object) -> None:
    """Write a line: ``event`` in snake_case, the account it is about, and plain facts."""
    address = "" if request is None else request.META.get("REMOTE_ADDR", "")
    said = {"person": person, "address": address, **facts}
    log.info("%s %s", event, " ".join(f"{name}={value!s:.100}" for name, value in said.items() if value))


@receiver(auth.user_logged_in, dispatch_uid="security_sign_in")
def _signed_in(user: User, request: HttpRequest | None = None, **_: Any) -> None:
    record("sign_in", person=user.pk, request=request)


@receiver(auth.user_logged_out, dispatch_uid="security_sign_out")
def _signed_out(user: User | None = None, request: HttpRequest | None = None, **_: Any) -> None:
    if user is not None:
        record("sign_out", person=user.pk, request=request)


@receiver(auth.user_login_failed, dispatch_uid="security_sign_in_failed")
def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    # A password typed into the field of the name would stand in the log.
    known = (
        User.objects.filter(username=credentials.get("username") or "").values_list("pk", flat=True).first()
    )
    record("sign_in_failed", person=known or "unknown", request=request)


@receiver(
    [account.password_changed, account.password_set, account.password_reset], dispatch_uid="security_pw"
)
def _password(user: User, request: HttpRequest | None = None, **_: Any) -> None:
    record("password_changed", person=user.pk, request=request)


@receiver(account.email_changed, dispatch_uid="security_email_changed")
@receiver(account.email_added, dispatch_uid="security_email_added")
@receiver(account.email_removed, dispatch_uid="security_email_removed")
def _email(user: User, request: HttpRequest | None = None, **_: Any) -> None:
    record("email_changed", person=user.pk, request=request)


@receiver(m2m_changed, sender=User.groups.through, dispatch_uid="security_groups")
@receiver(m2m_changed, sender=User.user_permissions.through, dispatch_uid="security_permissions")
@receiver(m2m_changed, sender=Group.permissions.through, dispatch_uid="security_group_permissions")
def _roles(instance: Any, action: str, pk_set: set[int] | None, **_: Any) -> None:
    if action.startswith("post_"):
        what = f"{type(instance).__name__.lower()} {instance.pk}"
        record("roles_changed", what=what, action=action[5:], ids=sorted(pk_set or ()))


@receiver(post_delete, sender=User, dispatch_uid="security_deleted")
def _deleted(instance: User, **_: Any) -> None:
    record("account_deleted", person=instance.pk)
