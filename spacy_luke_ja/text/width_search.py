"""A text, and words that may be written there in another width or form in; where they stand in it out."""

import unicodedata
from functools import lru_cache
from typing import Iterator, List, Tuple


def find_in_any_width(text: str, wanted: str) -> List[Tuple[int, int]]:
    """Find all places that are the same by NFKC: ＮＨＫ for NHK, ﾄﾞｰﾑ for ドーム, か + ゙ for が.

    RETURNS: (char_start, char_end) of each, in text order. Characters are never parted: ㈱ is (株), but has no 株.
    """
    normal, starts, ends = normalize_clusters(text)
    normal_wanted = unicodedata.normalize("NFKC", wanted)
    places = []
    place = normal.find(normal_wanted) if normal_wanted else -1
    while place >= 0:
        char_start, char_end = starts[place], ends[place + len(normal_wanted) - 1]
        if char_start >= 0 and char_end >= 0:
            places.append((char_start, char_end))
        place = normal.find(normal_wanted, place + 1)
    return places


@lru_cache(maxsize=1)  # all questions of a paragraph come one after the other
def normalize_clusters(text: str) -> Tuple[str, List[int], List[int]]:
    """RETURNS: the text in NFKC; and per character of that, where in the text it starts, and where it ends: -1 where
    that is within a character of the text."""
    normal: List[str] = []
    starts: List[int] = []
    ends: List[int] = []
    for char_start, char_end in clusters(text):
        own = unicodedata.normalize("NFKC", text[char_start:char_end])
        inner = [-1] * (len(own) - 1)
        normal.append(own)
        if own:
            starts += [char_start, *inner]
            ends += [*inner, char_end]
    return "".join(normal), starts, ends


def clusters(text: str) -> Iterator[Tuple[int, int]]:
    """YIELDS: (char_start, char_end) of each character with the marks that combine with it."""
    char_start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or not combines(text[i]):
            yield char_start, i
            char_start = i


def combines(char: str) -> bool:
    return char > "\u02ff" and unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) != 0
