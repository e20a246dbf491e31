"""A long text in, parts of it that a tokenizer can take out."""

import unicodedata
from typing import Iterator

# Where a long text is cut, best place first; "" is any change of the kind of character.
SAFE_ENDS = ("\n", "。！？｡", "、，,.;；", "")


def cut_text(text: str, *, max_bytes: int) -> Iterator[str]:
    """Cut a text into parts of at most max_bytes of UTF-8, and into at least two when it has two characters.

    The text must be free of lone surrogates.
    """
    max_bytes = min(max_bytes, max(4, len(text.encode("utf8")) // 2))
    start = 0
    while start < len(text):
        end = start + len(text[start : start + max_bytes].encode("utf8")[:max_bytes].decode("utf8", "ignore"))
        if end < len(text):
            end = find_safe_end(text, start, end)
        yield text[start:end]
        start = end


def find_safe_end(text: str, start: int, end: int) -> int:
    """The last good place to cut in the later half of text[start:end]; `end` when there is none.

    A cut never comes before a space or a combining character: the one belongs to the token before it in a Doc,
    the other to its character.
    """
    earliest = start + max(1, (end - start) // 2)
    for ends in SAFE_ENDS:
        for i in range(end, earliest - 1, -1):
            is_end = text[i - 1] in ends if ends else kind_of_character(text[i - 1]) != kind_of_character(text[i])
            if is_end and not text[i].isspace() and text[i].isprintable() and not is_combining(text[i]):
                return i
    return end


def is_combining(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def kind_of_character(char: str) -> str:
    if "ぁ" <= char <= "ゖ":
        return "hiragana"
    if "ァ" <= char <= "ヺ" or char == "ー":
        return "katakana"
    if "一" <= char <= "鿿":
        return "kanji"
    return "digit" if char.isdigit() else "letter" if char.isalpha() else "other"
