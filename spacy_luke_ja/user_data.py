"""What we keep in a Doc's user_data, and the extension attributes that show it.

Docs that were made from others (Span.as_doc, or by hand) may hold the user_data of another text: what is packed with
the length of its text is known there as another text's.
"""

import warnings
from typing import Any, Callable, Dict, List, Optional

import catalogue
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


def check_within(doc: Doc, char_start: int, char_end: int, what: str) -> None:
    """Raise a ValueError for characters that are not in the text. what: they are, for the message: "mention", say."""
    n_chars = text_length(doc)
    if not 0 <= char_start < char_end <= n_chars:
        raise ValueError(f"the {what} {char_start}–{char_end} is not within the {n_chars} characters of the text")


def keys_of(doc: Doc, *names: str) -> List[Any]:
    """RETURNS: the keys, ("._.", name, char_start, char_end), of what stands under characters with these names."""
    keys = [key for key in doc.user_data if isinstance(key, tuple) and len(key) == 4 and key[0] == "._."]
    return [key for key in keys if key[1] in names]


def drop_of(doc: Doc, component: Optional[str], *names: str) -> None:
    """Remove what a component, or any when None, said under these names: lists of values that begin with its name."""
    data: Any = doc.user_data
    for key in keys_of(doc, *names):
        kept = [own for own in data[key] if own[0] != component] if component is not None else []
        if kept:
            data[key] = kept
        else:
            del data[key]


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
    """Let srsly, which writes and reads Docs as msgpack, remember what extends it, once a component of ours is there.

    It searches all installed entry points and all that is registered anywhere at each of its calls, and Doc.to_bytes
    makes two calls more where there is user_data: that took most of the time of a Doc on its way between processes.
    """
    for registry in (srsly.msgpack_encoders, srsly.msgpack_decoders):
        if "get_all" not in vars(registry):
            registry.get_all = remembered(registry)


def remembered(registry: catalogue.Registry) -> Callable[[], Dict[str, Any]]:
    """RETURNS: registry.get_all, which looks again only after something was registered."""
    search = registry.get_all
    known: Dict[str, Any] = {}
    n_registered = 0

    def get_all() -> Dict[str, Any]:
        nonlocal known, n_registered
        # Entry points do not change while a process runs.
        as_known = (catalogue.REGISTRY.get((*registry.namespace, name), func) is func for name, func in known.items())
        if n_registered != len(catalogue.REGISTRY) or not all(as_known):
            known, n_registered = search(), len(catalogue.REGISTRY)
        return known

    return get_all
