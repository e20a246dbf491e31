"""A file of texts, packed or not, in; what was packed, as bytes or decoded, out. And the same for files to write."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, NamedTuple, Tuple

MARK_BYTES = 10  # that tell how a file is packed
READ_AT_ONCE, SKIP_AT_ONCE = 1 << 16, 1 << 20


class ZstandardMissing(ImportError, ValueError):
    """A ValueError, too: to whoever reads a file, that is what is wrong with it."""


def import_zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ZstandardMissing(
            'files packed with zstd need the package zstandard: pip install "spacy_luke_ja[annotate]"'
        ) from error
    return zstandard


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


class Packing(NamedTuple):
    """
    mark: a pattern of what its files begin with. ending: of their names.
    open: an open file → a file of what was packed. pack: the same content gives the same bytes.
    """

    mark: bytes
    ending: str
    open: Callable[[Any], Any]
    pack: Callable[[bytes], bytes]


PACKINGS: Dict[str, Packing] = {
    "gzip": Packing(rb"\x1f\x8b", ".gz", gzip.open, partial(gzip.compress, mtime=0)),
    "zstd": Packing(
        rb"\x28\xb5\x2f\xfd",
        ".zst",
        lambda file_: io.BufferedReader(ZstdFile(file_), SKIP_AT_ONCE),
        lambda content: import_zstandard().ZstdCompressor().compress(content),
    ),
    # A text may begin with BZh, too.
    "bzip2": Packing(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", ".bz2", bz2.open, bz2.compress),
    "xz": Packing(rb"\xfd7zXZ\x00", ".xz", lzma.open, lzma.compress),
}
PACKED_ENDINGS = {packing.ending: packing for packing in PACKINGS.values()}


def packing_of(start: bytes) -> str:
    """start: the first MARK_BYTES of a file. RETURNS: a key of PACKINGS; "" where it is not packed."""
    return next((name for name, packing in PACKINGS.items() if re.match(packing.mark, start)), "")


def read_errors(packing: str) -> Tuple[Any, ...]:
    """What reading raises where a packed file is damaged."""
    if packing == "zstd":
        return (import_zstandard().ZstdError, EOFError)
    # bz2 has nothing but OSError and ValueError for it, gzip a subclass
    own: Dict[str, Any] = {"gzip": gzip.BadGzipFile, "bzip2": OSError, "xz": lzma.LZMAError}
    return (own[packing], EOFError, zlib.error) if packing else ()


def unpack(content: bytes, name: Any) -> bytes:
    """name: of the file, for messages."""
    packing = packing_of(content[:MARK_BYTES])
    if not packing:
        return content
    try:
        return PACKINGS[packing].open(io.BytesIO(content)).read()
    except read_errors(packing) as error:
        raise ValueError(f"{name} is packed with {packing}, and damaged: {error}") from error


def pack_for(path: Path, content: bytes) -> bytes:
    """Pack what is to be written to a path that says so."""
    packing = PACKED_ENDINGS.get(path.suffix.lower())
    return content if packing is None else packing.pack(content)


def ending_of(path: Path) -> str:
    """The ending that names a format: .jsonl of train.jsonl and train.jsonl.gz, in small letters."""
    return Path(path.stem if path.suffix.lower() in PACKED_ENDINGS else path.name).suffix.lower()


def check_ending(path: Path, endings: Collection[str], advice: str = "") -> str:
    """RETURNS: one of the endings; raises a ValueError for a name that has another."""
    ending = ending_of(path)
    if ending not in endings:
        raise ValueError(
            f"{path}: the name must end in {', '.join(endings)}, each also with {', '.join(PACKED_ENDINGS)}, "
            f"got {ending or 'no ending'}{advice}"
        )
    return ending


def read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise OSError(f"there is no file {path}")
    return unpack(path.read_bytes(), path)


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """What is not of the encoding becomes lone surrogates, which check_decoded (records.py) finds."""
    return content.decode(encoding, "surrogateescape")


def decode_file(content: bytes, encoding: str = "utf-8") -> str:
    """The whole of a file, which may begin with a byte order mark as Windows writes it."""
    return decode(content.removeprefix(codecs.BOM_UTF8), encoding)


def read_text(path: Path) -> str:
    """A text file in UTF-8, decoded as by decode_file."""
    return decode_file(read_bytes(path))


def read_lines(path: Path) -> List[bytes]:
    return read_bytes(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
