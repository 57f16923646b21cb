"""Layers whose names differ from those in stored weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


def store_as(model: nn.Module, stored: Mapping[str, str]) -> None:
    """Let the state dict of ``model`` call some of its direct children by other names, as it always did.

    ``stored``: attribute -> the first part of its keys, both when a state dict is made and when it is loaded.
    Weights and checkpoints are the same before and after an attribute was renamed.
    """
    attributes = {key: attribute for attribute, key in stored.items()}

    def to_stored(_module: nn.Module, state: dict[str, Any], prefix: str, _metadata: object) -> None:
        _rename(state, prefix, stored)

    def to_attributes(_module: nn.Module, state: dict[str, Any], prefix: str, *_others: object) -> None:
        _rename(state, prefix, attributes)

    model.register_state_dict_post_hook(to_stored)  # type: ignore[no-untyped-call]
    model.register_load_state_dict_pre_hook(to_attributes)  # type: ignore[no-untyped-call]


def _rename(state: dict[str, Any], prefix: str, names: Mapping[str, str]) -> None:
    """Rename children in place; keys keep their order."""
    entries = list(state.items())
    state.clear()
    for key, value in entries:
        child, dot, rest = key.removeprefix(prefix).partition(".")
        ours = key.startswith(prefix) and child in names
        state[f"{prefix}{names[child]}{dot}{rest}" if ours else key] = value
