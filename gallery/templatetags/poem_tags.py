"""What templates ask about poems."""

from __future__ import annotations

from uuid import uuid4

from django import template

from gallery.models import Artwork
from gallery.poemcraft import Craft, craft_of

register = template.Library()


@register.filter
def craft(artwork: Artwork) -> Craft | None:
    """The making of a poem, or None when nothing is known of it."""
    return craft_of(artwork) if artwork.text else None


@register.simple_tag
def fresh_key() -> str:
    """A new idempotency key: a form that is sent twice asks once."""
    return uuid4().hex
