"""Analyse: style, painter, genre and colours of a picture, and where they are seen."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from gallery.kinds.specs import InputSpec, KindSpec, PageParts

_PARTS = PageParts(styles=("gallery/css/analysis.css",), scripts=("gallery/js/analysis.js",))

ANALYSE = KindSpec(
    slug="analyse",
    queue="cnn",
    label=_("Analyse"),
    verb=_("Look at it"),
    summary=_(
        "Bring a picture; a convolutional network says which style, painter and genre it resembles, and why."
    ),
    makes="picture",
    params=(),
    inputs=(InputSpec("image", _("Picture"), required=True, help=_("JPEG, PNG, WebP, AVIF or HEIC.")),),
    batch_limit=1,
    seeded=False,
    medium=_("Looked at by a convolutional network"),
    unnamed=lambda _parameters: _("Analysis"),
    job_page=_PARTS,
    work_page=_PARTS,
    reads_pictures=True,
)
