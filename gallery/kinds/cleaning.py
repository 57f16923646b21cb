"""Untrusted values as their proper JSON types, or ValueError with a sentence for the visitor."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

from django.utils.translation import gettext_lazy as _

MAX_SEED = 2**63 - 1


# Join or part the glyphs of emoji and of scripts such as Persian and Hindi; anywhere else nobody sees them.
_JOINERS = "\u200c\u200d"
# Letters and marks that show nothing: Hangul fillers, the grapheme joiner, Mongolian selectors.
_BLANK = frozenset(map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0)))


def _is_invisible(char: str, before: str) -> bool:
    """Whether ``char`` shows nothing after ``before``: format characters, directions, fillers."""
    if char in _JOINERS:
        name = unicodedata.name(before, "") if before else ""
        return (
            not before or before.isspace() or name.startswith(("LATIN", "CJK", "DIGIT", "CYRILLIC", "GREEK"))
        )
    return unicodedata.category(char) == "Cf" or char in _BLANK


def clean_text(value: str, *, multiline: bool = False) -> str:
    """Text as it may be stored: NFC, nothing that controls or that nobody sees, runs of marks capped.

    So nothing invisible breaks a word or turns its direction, and no title is empty that looks filled.
    Joiners stay where they join something (emoji, Persian, Hindi); a pile of more than four combining marks
    on one letter does not.
    """
    text = unicodedata.normalize("NFC", value.encode("utf-8", "ignore").decode("utf-8"))
    kept: list[str] = []
    marks = 0
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        if unicodedata.combining(char):
            marks += 1
            if marks > 4:
                continue
        else:
            marks = 0
        if char == "\n" and multiline:
            kept.append(char)
        elif char in "\n\t":
            kept.append(" ")
        elif unicodedata.category(char) != "Cc" and not _is_invisible(char, kept[-1] if kept else ""):
            kept.append(char)
    return "".join(kept).strip()


def clean_boolean(value: Any) -> bool:
    """Yes or no as programs and forms write it. Raises ValueError with a sentence for the visitor."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "on", "1", "yes"}:
        return True
    if isinstance(value, str) and value.lower() in {"", "false", "off", "0", "no"}:
        return False
    raise ValueError(_("Enter yes or no."))


def clean_number(
    value: Any, *, whole: bool, minimum: float | None = None, maximum: float | None = None
) -> int | float:
    """A finite number within its limits. Raises ValueError with a sentence for the visitor."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_("Enter a number."))
    try:
        number: int | float = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        raise ValueError(_("Enter a number.")) from None
    if isinstance(value, float) and whole and value != number:
        raise ValueError(_("Enter a whole number."))
    if (
        (isinstance(number, float) and not math.isfinite(number))
        or (minimum is not None and number < minimum)
        or (maximum is not None and number > maximum)
    ):
        raise ValueError(_("Between %(low)s and %(high)s.") % {"low": minimum, "high": maximum})
    return number


def clean_seed(value: Any) -> int:
    """A seed in [0, 2**63). Raises ValueError with a sentence for the visitor."""
    if isinstance(value, float) or (isinstance(value, str) and not value.strip().isascii()):
        raise ValueError(_("Enter a whole number."))
    try:
        return int(clean_number(value, whole=True, minimum=0, maximum=MAX_SEED))
    except ValueError:
        raise ValueError(_("A seed is a whole number from 0 to %(high)d.") % {"high": MAX_SEED}) from None
