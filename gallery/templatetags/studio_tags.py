"""What can be done next with a picture, for the pages that offer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from gallery import catalogue
from gallery.catalogue.gan import LONGEST_SIDE
from gallery.models import Artwork

register = template.Library()

GENERATED = ("paint", "blend")


@dataclass(frozen=True, slots=True)
class Use:
    """A link that takes a work into the studio."""

    label: str
    url: str


@register.filter
def uses(artwork: Artwork) -> list[Use]:
    """Everything that can be made from a picture, in the catalogue's order."""
    found: list[Use] = []
    for spec in catalogue.KINDS.values():
        if not spec.inputs:
            continue
        if spec.slug == "blend":
            found.append(Use(_("Blend with…"), _link("blend", parent_1=artwork.pk)))
            found.append(Use(_("Mutate…"), _link("blend", mode="mutate", parent_1=artwork.pk)))
        elif spec.slug == "upscale":
            if enlargements(artwork):
                found.append(Use(_("Enlarge…"), _link("upscale", image=artwork.pk)))
        elif spec.inputs[0].role == "palette":
            found.append(Use(_("Paint in its colours"), _link(spec.slug, palette=artwork.pk)))
        else:
            found.append(
                Use(
                    _("%(kind)s this") % {"kind": spec.label},
                    _link(spec.slug, **{spec.inputs[0].role: artwork.pk}),
                )
            )
    return found


@register.filter
def enlargements(artwork: Artwork) -> list[str]:
    """The factors by which a picture can be enlarged: those that keep its long side within the limit."""
    spec = catalogue.KINDS.get("upscale")
    param = spec.param("factor") if spec else None
    if param is None or not artwork.file:
        return []
    longest = max(artwork.width, artwork.height)
    return [choice.value for choice in param.choices if longest * int(choice.value) <= LONGEST_SIDE]


@register.filter
def is_generated(artwork: Artwork) -> bool:
    """Whether the generator painted it, so that its neighbours in the latent space are a step away."""
    return artwork.kind in GENERATED


def _link(kind: str, **query: Any) -> str:
    return f"{reverse('studio_kind', args=[kind])}?{urlencode(query)}"
