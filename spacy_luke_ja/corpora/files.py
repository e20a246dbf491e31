"""The bytes of a file of annotated texts, which may be packed with gzip."""

import codecs
import gzip
import zlib
from pathlib import Path
from typing import List

GZIP = b"\x1f\x8b"
GZIP_ENDING = ".gz"


def ending_of(path: Path) -> str:
    """The ending that names a format: .jsonl of train.jsonl and train.jsonl.gz, in small letters."""
    return Path(path.stem if path.suffix.lower() == GZIP_ENDING else path.name).suffix.lower()


def read_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is packed with gzip, and damaged: {error}") from error


def pack_for(path: Path, content: bytes) -> bytes:
    """Pack what is to be written to a path that says so; the same content gives the same bytes."""
    return gzip.compress(content, mtime=0) if path.suffix.lower() == GZIP_ENDING else content


def read_lines(path: Path) -> List[bytes]:
    """Lines of a text file in UTF-8, which may begin with a byte order mark as Windows writes it."""
    return read_bytes(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
