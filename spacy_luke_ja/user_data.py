"""What we keep in a Doc's user_data, and the extension attributes that show it.

Docs that were made from others (Span.as_doc, or by hand) may hold the user_data of another text: what is packed with
the length of its text is known there as another text's.
"""

import warnings
from typing import Any, List

import srsly
from spacy.tokens import Doc


def text_length(doc: Doc) -> int:
    """len(doc.text), which spaCy would put together from all tokens."""
    return doc[-1].idx + len(doc[-1].text_with_ws) if len(doc) else 0


def pack(doc: Doc, values: Any) -> List[Any]:
    """values: plain lists, dicts, strings and numbers, which is what msgpack gives back."""
    return [text_length(doc), values]


def unpack(doc: Doc, packed: Any, default: Any = ()) -> Any:
    """RETURNS: what was packed; the default where there is nothing, or nothing of this text."""
    return default if packed is None or packed[0] != text_length(doc) else packed[1]


def register_extension(owner: Any, name: str, **kinds: Any) -> bool:
    """Register an extension attribute of Doc or Span, once. One that others registered under this name stays theirs.

    RETURNS: whether the name is ours.
    """
    if not owner.has_extension(name):
        owner.set_extension(name, **kinds)
        return True
    getter, present = kinds["getter"], owner.get_extension(name)[2]
    is_ours = (getattr(present, "__module__", ""), getattr(present, "__qualname__", "")) == (
        getter.__module__,
        getter.__qualname__,
    )
    if not is_ours:
        warnings.warn(
            f"the extension attribute {owner.__name__}._.{name} was registered by others and stays theirs; "
            f"{getter.__module__}.{getter.__qualname__} gives what it would hold here"
        )
    return is_ours


def pack_quickly() -> None:
    """Let srsly write and read msgpack without a search of all installed entry points.

    It looks for extensions to itself at each of the calls that Doc.to_bytes makes, three with user_data: more than half
    of its time. Once is enough, where there are none: what is installed does not change while a process runs.
    """
    for registry in (srsly.msgpack_encoders, srsly.msgpack_decoders):
        if registry.entry_points and not registry.get_entry_points():
            registry.entry_points = False
