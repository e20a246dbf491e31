"""A file, packed or not, in; its bytes, or its lines with their places, out, only ever forwards."""

import codecs
from pathlib import Path
from typing import Any, Iterator

from ..corpora.files import PACKINGS, SKIP_AT_ONCE, read_errors

# What Python would take for its line breaks is ours, and no other.
FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class DamagedFile(ValueError):
    """A packed file that cannot be unpacked to its end."""


def refuse_foreign_marks(name: str, start: bytes) -> None:
    """start: the first bytes of a text file."""
    for mark, encoding in FOREIGN_MARKS.items():
        if start.startswith(mark):
            raise ValueError(
                f"{name} is {encoding} by its first bytes, and must be UTF-8 or what --encoding names; "
                f"iconv -f {encoding} -t UTF-8 makes it so"
            )


class LineCursor:
    """The lines of a file, and where they stand in what was unpacked.

    offset: bytes before the next line. line: its number, from 1. raw_offset: bytes read of the file as it is on disk.
    """

    def __init__(self, path: Path, packing: str):
        self.path, self.packing = path, packing
        self.errors = read_errors(packing)
        self.raw: Any = path.open("rb")
        self.file: Any = PACKINGS[packing].open(self.raw) if packing else self.raw
        self.offset, self.line = 0, 1

    def close(self) -> None:
        self.file.close()
        self.raw.close()

    def readline(self) -> bytes:
        """The next line with its break; b"" at the end. Raises DamagedFile."""
        try:
            line = self.file.readline()
        except self.errors as error:
            raise DamagedFile(f"the file is packed with {self.packing}, and damaged here: {error}") from error
        self.offset += len(line)
        self.line += 1
        return line

    def skip_to(self, offset: int, line: int) -> None:
        """Go forwards to a place that is known."""
        if not self.packing:
            self.file.seek(offset)
        while self.packing and self.offset < offset:
            self.offset += len(self.file.read(min(SKIP_AT_ONCE, offset - self.offset)))
        self.offset, self.line = offset, line

    @property
    def raw_offset(self) -> int:
        return self.raw.tell() if self.packing else self.offset

    def lines_until(self, end: float) -> Iterator[bytes]:
        while self.offset < end:
            line = self.readline()
            if not line:
                return
            yield line


def without_break(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
