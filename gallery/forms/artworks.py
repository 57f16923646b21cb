"""What the owner of a work may change: its title and who sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gallery import kinds
from gallery.models import Visibility

VISIBILITY_MEANING = {
    Visibility.PRIVATE: _("Only you see it."),
    Visibility.UNLISTED: _("Whoever has the link sees it."),
    Visibility.PUBLIC: _("It appears in the gallery once a moderator has approved it."),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One of a few values to choose from."""

    value: str
    label: Any
    help: Any = ""


def visibility_options() -> list[Option]:
    """The three visibilities, each with one line of meaning."""
    return [Option(value, Visibility(value).label, meaning) for value, meaning in VISIBILITY_MEANING.items()]


class ArtworkForm(forms.Form):
    """Title and visibility of a work."""

    title = forms.CharField(label=_("Title"), max_length=200, required=False, strip=True)
    visibility = forms.ChoiceField(
        label=_("Who sees it"), choices=Visibility.choices, widget=forms.RadioSelect, required=True
    )

    def clean_title(self) -> str:
        """Without control characters."""
        return kinds.clean_text(self.cleaned_data["title"])
