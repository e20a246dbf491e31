"""Sources in; chunks out: neighbouring records, of one file or of several, that are done and kept together."""

from dataclasses import dataclass
from typing import Iterator, List, NamedTuple, Sequence, Tuple

from .readers import READERS, ReadSettings
from .sources import Source
from .streams import DamagedFile


class Piece(NamedTuple):
    """The records of a source from start to end, as Extent has them.

    source: which one. damage: what stands after them and cannot be read; "" where all can.
    """

    source: int
    start: int
    end: int
    line: int
    damage: str = ""


@dataclass(frozen=True)
class Chunk:
    """share: how many bytes on disk it takes, about."""

    number: int
    pieces: Tuple[Piece, ...]
    share: int


def plan_chunks(
    sources: Sequence[Source], settings: ReadSettings, *, chunk_bytes: int, chunk_records: int
) -> Iterator[Chunk]:
    """Cut all sources, in order, after the record that reaches one of the limits.

    The same sources and limits always give the same chunks.
    """
    number = n_bytes = n_records = share = 0
    pieces: List[Piece] = []
    for i, source in enumerate(sources):
        piece = None
        raw_before = 0
        for extent in READERS[source.format].extents(source, settings.of(source)):
            if isinstance(extent, DamagedFile):
                line = piece.line if piece is not None else 0
                pieces += [piece] if piece is not None else []
                piece = Piece(i, 0, 0, line, str(extent))
                break
            piece = Piece(i, extent.start, extent.end, extent.line) if piece is None else piece._replace(end=extent.end)
            n_bytes, n_records = n_bytes + extent.size, n_records + 1
            share, raw_before = share + extent.raw_offset - raw_before, extent.raw_offset
            if n_bytes >= chunk_bytes or n_records >= chunk_records:
                yield Chunk(number, (*pieces, piece), share)
                number, n_bytes, n_records, share, pieces, piece = number + 1, 0, 0, 0, [], None
        pieces += [piece] if piece is not None else []
        share += source.size - raw_before
    if pieces or not number:
        yield Chunk(number, tuple(pieces), share)
