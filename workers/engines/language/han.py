"""Which characters are Chinese."""

from __future__ import annotations

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""For a character class of a regular expression: Extension A, the Unified Ideographs, the Compatibility
Ideographs (which some keyboards type), and planes 2 and 3, which Unicode keeps for ideographs. The hexagram
symbols between the first two are none."""

_HAN = re.compile(f"[{HAN}]+")


def is_chinese(text: str) -> bool:
    """Whether all characters of ``text`` are Chinese, known to a model or not; not of an empty text."""
    return _HAN.fullmatch(text) is not None
