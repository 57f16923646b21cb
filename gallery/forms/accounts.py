"""The first account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.forms import BaseUserCreationForm
from django.utils.translation import gettext_lazy as _

from gallery.models import User

if TYPE_CHECKING:
    _AccountForm = BaseUserCreationForm[User]
else:
    _AccountForm = BaseUserCreationForm


class WelcomeForm(_AccountForm):
    """The first account: the administrator's."""

    email = forms.EmailField(label=_("E-mail (optional)"), required=False)

    class Meta:
        model = User
        fields = ("username", "email")
