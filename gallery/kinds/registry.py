"""The list of kinds, in the order that pages show them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from gallery.kinds.analyse import ANALYSE
from gallery.kinds.blend import BLEND
from gallery.kinds.dream import DREAM
from gallery.kinds.paint import PAINT
from gallery.kinds.restyle import RESTYLE
from gallery.kinds.specs import KindSpec, UnknownKind
from gallery.kinds.upscale import UPSCALE
from gallery.kinds.verse import VERSE

KINDS: dict[str, KindSpec] = {
    spec.slug: spec for spec in (PAINT, BLEND, UPSCALE, RESTYLE, DREAM, ANALYSE, VERSE)
}
READING: tuple[str, ...] = tuple(spec.slug for spec in KINDS.values() if spec.reads_pictures)
"""The kinds that make an analysis of a picture."""
QUEUES: tuple[str, ...] = ("gan", "cnn", "rnn")


def kind(slug: str) -> KindSpec:
    """The kind ``slug``. Raises UnknownKind."""
    spec = KINDS.get(slug)
    if spec is None:
        raise UnknownKind(
            {
                "kind": [
                    str(_("There is no such kind. Choose one of: %(kinds)s.") % {"kinds": ", ".join(KINDS)})
                ]
            }
        )
    return spec
