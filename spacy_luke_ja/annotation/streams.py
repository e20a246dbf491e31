"""A file, packed or not, in; its bytes, or its lines with their places, out, only ever forwards."""

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

# packing → the bytes that its files begin with, and the ending of their names
PACKINGS: Dict[str, Tuple[bytes, str]] = {
    "gzip": (b"\x1f\x8b", ".gz"),
    "zstd": (b"\x28\xb5\x2f\xfd", ".zst"),
    "bzip2": (b"BZh", ".bz2"),
    "xz": (b"\xfd7zXZ\x00", ".xz"),
}
# What Python would take for its line breaks is ours, and no other.
FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
SKIP_AT_ONCE = 1 << 20
READ_AT_ONCE = 1 << 16


class DamagedFile(ValueError):
    """A packed file that cannot be unpacked to its end."""


def import_zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError(
            'files packed with zstd need the package zstandard: pip install "spacy_luke_ja[annotate]"'
        ) from error
    return zstandard


def packing_of(path: Path) -> str:
    """A key of PACKINGS, by the first bytes of a file; "" where it is not packed."""
    with path.open("rb") as file_:
        start = file_.read(6)
    return next((packing for packing, (mark, _) in PACKINGS.items() if start.startswith(mark)), "")


def open_unpacked(path: Any, packing: str) -> Any:
    """path: where the file is packed, an open file. RETURNS: a file of what was packed, for reading."""
    openers: Dict[str, Callable[[Any], Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    if packing == "zstd":
        return io.BufferedReader(ZstdFile(path), SKIP_AT_ONCE)
    return openers[packing](path) if packing else path.open("rb")


class ZstdFile(io.RawIOBase):
    """What was packed with zstd, in frames. zstandard's own reader takes a file that was cut for whole."""

    def __init__(self, file_: Any):
        self.file = file_
        self.zstandard = import_zstandard()
        self.frame: Any = None
        self.left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left:
            packed = self.frame.unused_data if self.frame is not None and self.frame.eof else b""
            if not packed:
                packed = self.file.read(READ_AT_ONCE)
            if not packed:
                if self.frame is not None and not self.frame.eof:
                    raise EOFError("the file ends within a frame")
                return 0
            if self.frame is None or self.frame.eof:
                self.frame = self.zstandard.ZstdDecompressor().decompressobj()
            self.left = self.frame.decompress(packed)
        n = min(len(buffer), len(self.left))
        buffer[:n], self.left = self.left[:n], self.left[n:]
        return n


def read_errors(packing: str) -> Tuple[Any, ...]:
    """What reading raises where a packed file is damaged."""
    if not packing:
        return ()
    if packing == "zstd":
        return (import_zstandard().ZstdError, EOFError)
    # bz2 has nothing but OSError and ValueError for it, gzip a subclass
    own: Dict[str, Any] = {"gzip": gzip.BadGzipFile, "bzip2": OSError, "xz": lzma.LZMAError}
    return (own[packing], EOFError, zlib.error)


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
        self.raw: Any = path.open("rb") if packing else None
        self.file: Any = open_unpacked(self.raw or path, packing)
        self.offset, self.line = 0, 1

    def close(self) -> None:
        self.file.close()
        if self.raw is not None:
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
        return self.raw.tell() if self.raw is not None else self.offset

    def lines_until(self, end: float) -> Iterator[bytes]:
        while self.offset < end:
            line = self.readline()
            if not line:
                return
            yield line


def decode(line: bytes, encoding: str) -> str:
    """What is not of the encoding becomes lone surrogates, which records are rejected for."""
    return line.decode(encoding, "surrogateescape")


def without_break(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
