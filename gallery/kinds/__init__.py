"""What can be asked for: every kind with its parameters, inputs, limits and defaults.

This is the one place that pages, the API, the command line and the worker agree on. Validation
turns untrusted values into a recipe's parameters or raises :class:`InvalidRecipe` with one
message per field; nothing is clamped in silence. One module per model family holds its kinds.
"""

from gallery.kinds.cleaning import MAX_SEED, clean_seed, clean_text
from gallery.kinds.registry import KINDS, QUEUES, READING, kind
from gallery.kinds.specs import (
    Choice,
    Condition,
    Errors,
    Hint,
    InputSpec,
    InvalidRecipe,
    KindSpec,
    PageParts,
    ParamSpec,
    PictureFacts,
    Recipe,
    Text,
    UnknownKind,
    Use,
)
from gallery.kinds.styles import Style, styles

__all__ = [
    "KINDS",
    "MAX_SEED",
    "QUEUES",
    "READING",
    "Choice",
    "Condition",
    "Errors",
    "Hint",
    "InputSpec",
    "InvalidRecipe",
    "KindSpec",
    "PageParts",
    "ParamSpec",
    "PictureFacts",
    "Recipe",
    "Style",
    "Text",
    "UnknownKind",
    "Use",
    "clean_seed",
    "clean_text",
    "kind",
    "styles",
]
