"""A text in, facts about its single characters out: which are blank, which cannot be written in UTF-8."""

import re
import unicodedata
from typing import Optional, Tuple

import numpy as np

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_lone_surrogates(text: str) -> str:
    """Put U+FFFD for each lone surrogate, which no UTF-8 can hold; the length stays the same."""
    return text if text.isascii() else LONE_SURROGATE.sub("\ufffd", text)


def is_blank(char: str) -> bool:
    """Whether a character is a space, a control or a format character: no entity begins or ends with one."""
    return char.isspace() or unicodedata.category(char) in ("Cc", "Cf")


def blank_characters(text: str) -> Optional[np.ndarray]:
    """RETURNS: (n_chars,) bool, or None when no character is blank (the common case, found fast)."""
    if text.isprintable() and " " not in text:
        return None
    return np.fromiter((is_blank(char) for char in text), dtype=bool, count=len(text))


def trim_blank(text: str, char_start: int, char_end: int) -> Tuple[int, int]:
    """Move both ends of text[char_start:char_end] inwards past blank characters; empty when all are blank."""
    while char_start < char_end and is_blank(text[char_start]):
        char_start += 1
    while char_end > char_start and is_blank(text[char_end - 1]):
        char_end -= 1
    return char_start, char_end
