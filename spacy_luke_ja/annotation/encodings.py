"""The first bytes and the lines of text files in; their encodings, and a warning where they are in another, out."""

import codecs
import warnings
from itertools import chain
from typing import Iterable

from .sources import Source
from .streams import DamagedFile, LineCursor

AUTO = "auto"
BLOCK = 1 << 16
ESCAPES = (b"\x1b$B", b"\x1b$@")  # by which ISO-2022-JP goes over to kanji


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def is_japanese_in_utf8(line: bytes) -> bool:
    """Whether a line has several characters beyond ASCII and is UTF-8; one in cp932 or EUC-JP hardly ever is."""
    if line.isascii():
        return False
    try:
        text = line.decode("utf8")
    except UnicodeDecodeError:
        return False
    return sum(not character.isascii() for character in text) > 1


def encoding_of(source: Source, encoding: str) -> str:
    """The encoding to read a text file in: of "auto", what its beginning is in.

    Raises a ValueError where the file has the mark of UTF-8, and another encoding was named.
    """
    if encoding != AUTO and is_utf8(encoding):
        return encoding
    cursor = LineCursor(source.path, source.packing)
    lines = cursor.lines_until(float("inf"))
    try:
        first = next(lines, b"")
        is_marked = first.startswith(codecs.BOM_UTF8)
        if encoding != AUTO:
            if is_marked:
                raise ValueError(
                    f"{source.name} has the mark of UTF-8 at its beginning, and --encoding is {encoding}; "
                    f"leave it out, or give --encoding {AUTO} where some files are in cp932"
                )
            return encoding
        if is_marked:
            return "utf-8"
        return guess_encoding(chain([first], lines))
    except DamagedFile:  # where it is damaged is said when it is read
        return "utf-8" if encoding == AUTO else encoding
    finally:
        cursor.close()


def guess_encoding(lines: Iterable[bytes]) -> str:
    """What most of the lines that are not ASCII are in, of BLOCK bytes of such lines: UTF-8 or cp932."""
    n_bytes = n_utf8 = n_others = 0
    for line in lines:
        if line.isascii():
            continue
        try:
            line.decode("utf8")
            n_utf8 += 1
        except UnicodeDecodeError:
            n_others += 1
        n_bytes += len(line)
        if n_bytes >= BLOCK:
            break
    return "cp932" if n_others > n_utf8 else "utf-8"


def warn_of_encoding(line: bytes, source: Source, encoding: str) -> None:
    """Warn, in the same words for all lines of a file, of one that other characters are read from than it has."""
    if not is_utf8(encoding) and is_japanese_in_utf8(line):
        warnings.warn(
            f"{source.name} has lines that are UTF-8 and were read as {encoding}, so that their characters are wrong; "
            f"leave --encoding out, or give --encoding {AUTO}"
        )
    elif any(escape in line for escape in ESCAPES) and not codecs.lookup(encoding).name.startswith("iso2022"):
        warnings.warn(
            f"{source.name} has lines that are ISO-2022-JP and were read as {encoding}, so that their characters are "
            "wrong; --encoding iso-2022-jp reads them"
        )
