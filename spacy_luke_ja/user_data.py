"""What a Doc's user_data says of its characters: true of its text alone.

A part of a Doc (Span.as_doc) and Docs that were joined (Doc.from_docs) keep the user_data of the whole or of the first,
and have other characters: what is kept with the length of its text is known there as another text's.
"""

from typing import Any, List

from spacy.tokens import Doc


def pack(doc: Doc, values: Any) -> List[Any]:
    """values: plain lists, dicts, strings and numbers, which is what msgpack gives back."""
    return [len(doc.text), values]


def unpack(doc: Doc, packed: Any, default: Any = ()) -> Any:
    """RETURNS: what was packed; the default where there is nothing, or nothing of this text."""
    return default if packed is None or packed[0] != len(doc.text) else packed[1]
