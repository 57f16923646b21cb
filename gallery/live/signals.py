"""What ends on open pages when somebody's account changes, wherever the change comes from.

A socket asks again who its person is when it is told to (:func:`gallery.live.publisher.recheck_user`), and
every minute besides. Sign-out, another password, deactivation, groups and permissions tell it at once. Bulk
updates (``QuerySet.update``) send no signal: for those the minute holds.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.http import HttpRequest

from gallery.live import publisher
from gallery.live.messages import session_digest
from gallery.models import User


def _recheck(*people: object) -> None:
    for person in people:
        transaction.on_commit(partial(publisher.recheck_user, person), robust=True)


def _recheck_members(groups: QuerySet[Group]) -> None:
    _recheck(*User.objects.filter(groups__in=groups).values_list("pk", flat=True))


@receiver(user_logged_out, dispatch_uid="sockets_logged_out")
def _logged_out(request: HttpRequest | None = None, user: User | None = None, **_: Any) -> None:
    # The signal comes before the session is deleted.
    key = request.session.session_key if request is not None else None
    if user is not None:
        publisher.recheck_user(user.pk, session_digest(key) if key else "")


@receiver(post_save, sender=User, dispatch_uid="sockets_person_changed")
def _person_changed(
    instance: User, created: bool, update_fields: frozenset[str] | None = None, **_: Any
) -> None:
    # A sign-in writes nothing but its time.
    if not created and update_fields != frozenset({"last_login"}):
        _recheck(instance.pk)


@receiver(post_delete, sender=User, dispatch_uid="sockets_person_deleted")
def _person_deleted(instance: User, **_: Any) -> None:
    _recheck(instance.pk)


@receiver(m2m_changed, sender=User.groups.through, dispatch_uid="sockets_groups")
@receiver(m2m_changed, sender=User.user_permissions.through, dispatch_uid="sockets_permissions")
def _rights_changed(
    instance: User | Group | Permission, action: str, reverse: bool, pk_set: set[int] | None, **_: Any
) -> None:
    if not reverse:
        _recheck(instance.pk)
    elif pk_set is not None:
        _recheck(*pk_set)
    elif action == "pre_clear" and not isinstance(instance, User):
        _recheck(*instance.user_set.values_list("pk", flat=True))


@receiver(m2m_changed, sender=Group.permissions.through, dispatch_uid="sockets_group_permissions")
def _group_changed(instance: Group | Permission, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    if not reverse:
        groups = Group.objects.filter(pk=instance.pk)
    elif pk_set is not None:
        groups = Group.objects.filter(pk__in=pk_set)
    else:
        groups = Group.objects.filter(permissions=instance.pk)
    _recheck_members(groups)


@receiver(pre_delete, sender=Group, dispatch_uid="sockets_group_deleted")
def _group_deleted(instance: Group, **_: Any) -> None:
    _recheck_members(Group.objects.filter(pk=instance.pk))
