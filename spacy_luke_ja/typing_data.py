"""Types of mentions in a Doc, kept in its user_data: gold and predicted alike.

They stand under keys like those of extension attributes of their characters: so they survive to_bytes and a DocBin with
store_user_data=True, and Doc.copy, Doc.from_docs and Span.as_doc(copy_user_data=True) move them along.
"""

from typing import Any, Iterable, Iterator, List, Sequence, Tuple

from spacy.tokens import Doc, Span

from .text.typing import TypedMention
from .user_data import register_extension, text_length

# Not the name of the extension attribute, which others may have registered before us.
TYPES, GOLD = "luke_typed", "luke_gold_types"


def get_luke_types(span: Span) -> List[Tuple[str, float]]:
    """span._.luke_types: (label, score) of these characters, the likeliest first; [] where nothing was found."""
    found = [
        own for _, mention in find_types_in(span.doc, TYPES, span.start_char, span.end_char) for own in mention.types
    ]
    return sorted(found, key=lambda own: -own[1])


def get_typed_mentions(doc: Doc, component: str) -> List[TypedMention]:
    """What a component found, in text order."""
    return sorted(mention for own, mention in find_types_in(doc, TYPES) if own == component)


def set_typed_mentions(doc: Doc, component: str, mentions: Iterable[TypedMention]) -> None:
    """In place of what this component found before."""
    store(doc, TYPES, component, mentions)


def get_gold_types(doc: Doc) -> List[TypedMention]:
    return sorted(mention for _, mention in find_types_in(doc, GOLD))


def set_gold_types(doc: Doc, mentions: Iterable[Tuple[int, int, Iterable[str]]]) -> None:
    """Say what the right types of mentions are, for training and evaluation, in place of what was said before.

    mentions: (char_start, char_end, types), of each characters once; types may be none.
    """
    typed = [TypedMention(start, end, tuple((own, 1.0) for own in types)) for start, end, types in mentions]
    for start, end, _ in typed:
        if not 0 <= start < end <= text_length(doc):
            raise ValueError(f"the mention {start}–{end} is not within the {text_length(doc)} characters of the text")
    store(doc, GOLD, "", typed)


def find_types_in(doc: Doc, name: str, *place: int) -> Iterator[Tuple[str, TypedMention]]:
    """YIELDS: component and mention, of this place (char_start, char_end) alone where one is given."""
    data: Any = doc.user_data
    keys: List[Any] = [("._.", name, *place)] if place else keys_of(doc, name)
    text = doc.text if any(key in data for key in keys) else ""
    for key in keys:
        for component, own_text, types in data.get(key, ()):
            start, end = key[2:]
            if 0 <= start and text[start:end] == own_text:  # else a part of a Doc that does not have it
                yield component, TypedMention(start, end, tuple((label, score) for label, score in types))


def store(doc: Doc, name: str, component: str, mentions: Iterable[TypedMention]) -> None:
    data: Any = doc.user_data
    for key in keys_of(doc, name):
        kept = [own for own in data[key] if own[0] != component]
        if kept:
            data[key] = kept
        else:
            del data[key]
    text = doc.text
    for start, end, types in mentions:
        value = [component, text[start:end], [list(own) for own in types]]
        data["._.", name, start, end] = [*data.get(("._.", name, start, end), ()), value]


def keys_of(doc: Doc, name: str) -> List[Sequence[Any]]:
    return [key for key in doc.user_data if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name)]


def register_extensions() -> None:
    register_extension(Span, "luke_types", getter=get_luke_types)
