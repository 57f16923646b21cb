"""How allauth asks this site: who may sign up, under which name, and how often somebody may guess."""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from gallery.services.accounts import invitations, names

GUESSES_SECONDS = 300
GUESSES_UNDELAYED = 20
"""Failed sign-ins of one name from anywhere within GUESSES_SECONDS that cost nobody any time."""
DELAY_SECONDS = 1.0
INVITATION_KEY = "invitation"


class AccountAdapter(DefaultAccountAdapter):
    """``ACCOUNT_ADAPTER`` of the settings."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """``ARTSITE_SIGNUP``: everybody, whoever was invited, or nobody."""
        if settings.ARTSITE_SIGNUP == "invite":
            return invitations.is_valid(request.session.get(INVITATION_KEY, ""))
        return bool(settings.ARTSITE_SIGNUP == "open")

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """The name as it is stored. Raises ValidationError for one that cannot be had."""
        cleaned: str = super().clean_username(names.clean_name(username), shallow=shallow)
        if not shallow:
            try:
                names.check_name(cleaned)
            except names.NameTaken:
                raise ValidationError(_("This name is reserved, or reads like somebody else’s.")) from None
        return cleaned

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """The new account; an invitation is used up by it."""
        saved = super().save_user(request, user, form, commit)
        if settings.ARTSITE_SIGNUP == "invite":
            invitations.use(request.session.pop(INVITATION_KEY, ""), saved)
        return saved

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Guesses count by name and address; many for one name from anywhere slow it down."""
        super().pre_authenticate(request, **credentials)
        if cache.get(self._guesses_key(credentials), 0) >= GUESSES_UNDELAYED:
            time.sleep(DELAY_SECONDS)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Count for the delay."""
        super().authentication_failed(request, **credentials)
        key = self._guesses_key(credentials)
        cache.add(key, 0, GUESSES_SECONDS)
        try:
            cache.incr(key)
        except ValueError:  # it expired in between
            cache.set(key, 1, GUESSES_SECONDS)

    def _guesses_key(self, credentials: dict[str, Any]) -> str:
        login = str(credentials.get("email") or credentials.get("username") or "")
        return f"guesses:{names.skeleton(login)[:100]}"

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth counts by name alone: six wrong guesses from anywhere would lock anybody out.
        key = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}:{self.get_client_ip(request)}"
