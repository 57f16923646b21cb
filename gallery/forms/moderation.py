"""What a moderator decides about a work."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gallery.presentation.labels import REASONS


class DecisionForm(forms.Form):
    """What a moderator decides about one work. A reason is needed to turn it down."""

    action = forms.ChoiceField(choices=[(name, name) for name in ("approve", "reject", "remove")])
    reason = forms.ChoiceField(
        label=_("Reason"), choices=[("", _("Choose a reason")), *REASONS.items()], required=False
    )
    note = forms.CharField(
        label=_("Note to the author"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean(self) -> dict[str, Any]:
        """A rejection without a reason is no answer to the author."""
        cleaned = super().clean() or {}
        if cleaned.get("action") in ("reject", "remove") and not cleaned.get("reason"):
            self.add_error("reason", _("Choose a reason: the author will read it."))
        return cleaned
