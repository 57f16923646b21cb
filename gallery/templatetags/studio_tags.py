"""What pages say about pictures beside others: what can be made of them, and how they are related."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from gallery import kinds
from gallery.kinds import PictureFacts, features
from gallery.kinds.upscale import factors_of
from gallery.models import Artwork
from gallery.presentation import payloads
from gallery.presentation.lineage_layout import PlacedNode, Tree
from gallery.presentation.titles import heading
from gallery.selectors.lineage import Edge
from gallery.templatetags.site_tags import relation_label

register = template.Library()


@dataclass(frozen=True, slots=True)
class UseLink:
    """A link that takes a work into the studio."""

    label: str
    url: str


@register.filter
def uses(artwork: Artwork) -> list[UseLink]:
    """Everything that can be made from a picture, in the order of the kinds."""
    facts = _facts(artwork)
    found = [(use, spec.slug) for spec in kinds.KINDS.values() for use in spec.uses_of(facts)]
    found.sort(key=lambda one: one[0].last)
    return [UseLink(str(use.label), f"{_form(slug)}?{urlencode(use.query)}") for use, slug in found]


def _facts(artwork: Artwork) -> PictureFacts:
    return PictureFacts(str(artwork.pk), artwork.width, artwork.height, artwork.is_animation)


def _form(slug: str) -> str:
    return reverse("studio_kind", args=[slug])


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the network on the sheet of features: as a whole, and its channels that have a name."""

    code: str
    name: str
    features: tuple[features.NamedFeature, ...]


@register.simple_tag
def feature_layers() -> list[Layer]:
    """The sheet of features by layer, the deepest first: what it sees is easiest to name."""
    sheet = features.sheet()
    return [
        Layer(
            stage,
            str(features.LAYERS.get(stage, stage)),
            tuple(one for one in sheet.named if one.stage == stage),
        )
        for stage in reversed(sheet.stages)
    ]


@register.simple_tag
def feature_sheet() -> features.Sheet:
    """The sheet of features."""
    return features.sheet()


@register.simple_tag
def feature_pictures() -> str:
    """The address of the sheet's pictures, "" when they were not collected with the list."""
    try:
        return static(f"{features.FOLDER}/sheet.webp")
    except ValueError:
        return ""


@register.filter
def enlargements(artwork: Artwork) -> list[str]:
    """The factors by which a picture can be enlarged."""
    return factors_of(_facts(artwork)) if artwork.file else []


@register.filter
def listed_words(words: Iterable[str]) -> str:
    """Words one after the other, as the visitor's language lists them."""
    return _(", ").join(words)


@register.filter
def has_latent(artwork: Artwork) -> bool:
    """Whether the generator painted it, so that its neighbours in the latent space are a step away."""
    spec = kinds.KINDS.get(artwork.kind)
    return spec is not None and spec.latent


@register.filter
def video_url(artwork: Artwork) -> str:
    """The address of a loop as MP4; empty for everything else."""
    return payloads.video_url(artwork)


@register.filter
def edge_label(edge: Edge) -> str:
    """What stands on a line of the family tree: the share of a parent, or what was taken."""
    if edge.weight is not None:
        return f"{edge.weight:.0%}"
    return relation_label(edge.relation)


@register.filter
def spot_label(spot: PlacedNode, tree: Tree) -> str:
    """A work of the family tree for somebody who hears it: its name, and what it gave or took."""
    artwork = spot.node.artwork
    if artwork is None:
        return ""
    name = heading(artwork)
    if spot.node.level < 0:
        given = [edge_label(line.edge) for line in tree.lines if line.edge.parent == spot.node.key]
        return _("Ancestor: %(title)s (%(given)s)") % {"title": name, "given": ", ".join(given)}
    taken = [edge_label(line.edge) for line in tree.lines if line.edge.child == spot.node.key]
    return _("Descendant: %(title)s (%(given)s)") % {"title": name, "given": ", ".join(taken)}
