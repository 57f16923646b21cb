"""Passwords that everybody would try first on this site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

FEWEST = 6
"""Characters that a password must have beside the site's names."""


class SiteNameValidator:
    """Refuses the site's own name with little around it: ``Artsite2026!``."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError."""
        rest = password.casefold()
        names = {label for host in settings.ALLOWED_HOSTS for label in host.split(".") if len(label) > 3}
        for name in sorted({"artsite", *names}, key=len, reverse=True):
            rest = rest.replace(name.casefold(), "")
        if rest != password.casefold() and len(rest) < FEWEST:
            raise ValidationError(self.get_help_text(), code="password_of_site")

    def get_help_text(self) -> str:
        """The rule, for people."""
        return _("Your password can’t be the name of this site with little around it.")
