"""The bytes of a file of annotated texts, which may be packed with gzip or xz."""

import codecs
import gzip
import lzma
import zlib
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List

# The ending of a packed file → what packs it; the same content gives the same bytes.
PACKERS: Dict[str, Callable[[bytes], bytes]] = {".gz": partial(gzip.compress, mtime=0), ".xz": lzma.compress}
# What a packed file begins with → how it is packed, and what unpacks it.
PACKED = {b"\x1f\x8b": ("gzip", gzip.decompress), b"\xfd7zXZ\x00": ("xz", lzma.decompress)}


def ending_of(path: Path) -> str:
    """The ending that names a format: .jsonl of train.jsonl, train.jsonl.gz and train.jsonl.xz, in small letters."""
    return Path(path.stem if path.suffix.lower() in PACKERS else path.name).suffix.lower()


def read_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    for start, (name, unpack) in PACKED.items():
        if content.startswith(start):
            try:
                return unpack(content)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise ValueError(f"{path} is packed with {name}, and damaged: {error}") from error
    return content


def pack_for(path: Path, content: bytes) -> bytes:
    """Pack what is to be written to a path that says so."""
    pack = PACKERS.get(path.suffix.lower())
    return content if pack is None else pack(content)


def read_lines(path: Path) -> List[bytes]:
    """Lines of a text file in UTF-8, which may begin with a byte order mark as Windows writes it."""
    return read_bytes(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
