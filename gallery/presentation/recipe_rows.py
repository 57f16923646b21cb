"""The settings of a recipe in the visitor's language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.utils.translation import gettext as _

from gallery import kinds
from gallery.kinds import features


def parameter_rows(kind: str, parameters: Mapping[str, Any], roles: Collection[str]) -> list[tuple[str, str]]:
    """Settings as (label, value) in the recipe's order; those that the kind no longer has keep their names.

    ``roles`` of the input pictures: what a recipe did not use is not told.
    """
    spec = kinds.KINDS.get(kind)
    unused = spec.unused(parameters, roles) if spec is not None and spec.unused is not None else frozenset()
    rows: list[tuple[str, str]] = []
    for name, value in parameters.items():
        param = spec.param(name) if spec else None
        if name == "prompt" or name in unused or value in ("", None):
            continue
        if param is not None and not param.applies(parameters):
            continue
        rows.append((str(param.label) if param else name, _shown(param, value)))
    return rows


def _shown(param: kinds.ParamSpec | None, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if param is None:
        return str(value)
    if param.percent and isinstance(value, int | float):
        return f"{value:.0%}"
    if param.type == "choice":
        return str(param.label_of(value))
    if param.type == "features":
        return features.described(str(value))
    if param.type == "style":
        style = next((style for style in kinds.styles() if style.slug == value), None)
        return f"{style.title} · {style.painter}" if style else str(value)
    return str(value)
