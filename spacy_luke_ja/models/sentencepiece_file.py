"""The content of a sentencepiece model file in; its pieces and its table of normalisation out.

The Python library tells neither that table nor which pieces are the user's.

A protocol buffer, by https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.
"""

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

UNIGRAM = 1
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


class Piece(NamedTuple):
    text: str
    score: float
    kind: int


class SentencePieceFile(NamedTuple):
    """
    algorithm: UNIGRAM, or another number.
    pieces: in the order of their ids.
    normalization: the table that maps characters, as the library keeps it (precompiled_charsmap); empty for none.
    is_plain: a space before a text, runs of spaces as one, "▁" for a space, before words: the library's defaults.
    """

    algorithm: int
    pieces: Tuple[Piece, ...]
    normalization: bytes
    is_plain: bool


def read_sentencepiece_file(content: bytes) -> SentencePieceFile:
    """Raises a ValueError for what is no such file."""
    try:
        pieces: List[Piece] = []
        trainer: Dict[int, Any] = {}
        normalizer: Dict[int, Any] = {}
        for field, value in read_fields(content):
            if field == 1:
                piece = dict(read_fields(value))
                pieces.append(Piece(piece[1].decode("utf8"), piece.get(2, 0.0), piece.get(3, NORMAL)))
            elif field == 2:
                trainer.update(read_fields(value))
            elif field == 3:
                normalizer.update(read_fields(value))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise ValueError(f"this is no sentencepiece model: {error!r}") from error
    flags: List[Any] = [normalizer.get(field, 1) for field in (3, 4, 5)]
    is_plain = all(flags) and not trainer.get(24, 0)
    return SentencePieceFile(trainer.get(3, UNIGRAM), tuple(pieces), normalizer.get(2, b""), is_plain)


def read_fields(content: bytes) -> Iterator[Tuple[int, Any]]:
    """Each field's number, and its value: an int, a float, or bytes of what has a length."""
    at = 0
    while at < len(content):
        key, at = read_varint(content, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = read_varint(content, at)
            yield field, value
        elif wire == 2:
            length, at = read_varint(content, at)
            if at + length > len(content):
                raise ValueError("it is cut short")
            yield field, content[at : at + length]
            at += length
        elif wire == 5:
            yield field, struct.unpack_from("<f", content, at)[0]
            at += 4
        elif wire == 1:
            yield field, struct.unpack_from("<d", content, at)[0]
            at += 8
        else:
            raise ValueError(f"a field has the unknown type {wire}")


def read_varint(content: bytes, at: int) -> Tuple[int, int]:
    """RETURNS: the number, and the place behind it."""
    value = shift = 0
    while True:
        value |= (content[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if content[at - 1] < 128:
            return value, at
