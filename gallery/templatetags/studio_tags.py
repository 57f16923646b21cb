"""What pages say about pictures beside others: what can be made of them, and how they are related."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from gallery import kinds
from gallery.kinds import features
from gallery.kinds.upscale import LONGEST_SIDE
from gallery.models import Artwork
from gallery.presentation import payloads
from gallery.presentation.lineage_layout import PlacedNode, Tree
from gallery.selectors.lineage import Edge
from gallery.templatetags.site_tags import heading, relation_label

register = template.Library()

GENERATED = ("paint", "blend")


@dataclass(frozen=True, slots=True)
class Use:
    """A link that takes a work into the studio."""

    label: str
    url: str


@register.filter
def uses(artwork: Artwork) -> list[Use]:
    """Everything that can be made from a picture, in the catalogue's order; its colours alone come last."""
    found: list[Use] = []
    last: list[Use] = []
    for spec in kinds.KINDS.values():
        if not spec.inputs:
            continue
        if spec.slug == "blend":
            found.append(Use(_("Blend with…"), _link("blend", parent_1=artwork.pk)))
            found.append(Use(_("Mutate…"), _link("blend", mode="mutate", parent_1=artwork.pk)))
        elif spec.slug == "upscale":
            if enlargements(artwork):
                found.append(Use(_("Enlarge…"), _link("upscale", image=artwork.pk)))
        elif spec.slug == "dream":
            found.append(Use(_("Dream on…"), _link("dream", image=artwork.pk)))
        elif spec.makes == "poem":
            found.append(Use(_("Write a poem…"), _link(spec.slug, image=artwork.pk)))
        elif spec.inputs[0].role == "palette":
            last.append(Use(_("Paint in its colours"), _link(spec.slug, palette=artwork.pk)))
        else:
            found.append(
                Use(
                    _("%(kind)s this") % {"kind": spec.label},
                    _link(spec.slug, **{spec.inputs[0].role: artwork.pk}),
                )
            )
    return found + last


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
    """The factors by which a picture can be enlarged: those that keep its long side within the limit."""
    spec = kinds.KINDS.get("upscale")
    param = spec.param("factor") if spec else None
    if param is None or not artwork.file or artwork.is_animation:
        return []
    longest = max(artwork.width, artwork.height)
    return [choice.value for choice in param.choices if longest * int(choice.value) <= LONGEST_SIDE]


@register.filter
def listed_words(words: Iterable[str]) -> str:
    """Words one after the other, as the visitor's language lists them."""
    return _(", ").join(words)


@register.filter
def is_generated(artwork: Artwork) -> bool:
    """Whether the generator painted it, so that its neighbours in the latent space are a step away."""
    return artwork.kind in GENERATED


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


def _link(kind: str, **query: Any) -> str:
    return f"{reverse('studio_kind', args=[kind])}?{urlencode(query)}"
