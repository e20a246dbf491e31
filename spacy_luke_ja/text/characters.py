"""A text in, facts about its single characters out: which are blank, which cannot be written in UTF-8."""

import re
import unicodedata
from typing import List, Optional, Tuple

import numpy as np

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
LINE_BREAKS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"  # as str.splitlines has them
LINE_BREAK = re.compile(f"\r\n|[{LINE_BREAKS}]")
# Runs of blanks begin where no blank is before: else a search for each would take quadratic time.
BLANK_RUN = re.compile(r"(?<!\s)\s+")
RARE_LINE_BREAK = re.compile("[\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
# Ten times the same, or the same few characters, in a row: no name has that, but numbers may.
REPETITION = re.compile(r"(\D{1,16}?)\1{9,}", re.DOTALL)


def replace_lone_surrogates(text: str) -> str:
    """Put U+FFFD for each lone surrogate, which no UTF-8 can hold; the length stays the same."""
    return text if text.isascii() else LONE_SURROGATE.sub("\ufffd", text)


def replace_rare_line_breaks(text: str) -> str:
    """Put a newline for each other character that breaks lines, which tokenizers lose, glue or do not know."""
    return RARE_LINE_BREAK.sub("\n", text)


def find_line_ends(text: str) -> List[int]:
    """RETURNS: where each line ends that another follows, the blanks behind it left out; blank lines are none."""
    runs = (match for match in BLANK_RUN.finditer(text) if LINE_BREAK.search(match[0]))
    return [match.start() for match in runs if match.start() > 0 and match.end() < len(text)]


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
