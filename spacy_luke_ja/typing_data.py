"""Types of mentions in a Doc, kept in its user_data: gold and predicted alike."""

from typing import Iterable, Iterator, List, Tuple

from spacy.tokens import Doc, Span

from .mention_data import check_within, find_stored, store
from .text.typing import TypedMention
from .user_data import register_extension

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
    store_types(doc, TYPES, component, mentions)


def get_gold_types(doc: Doc) -> List[TypedMention]:
    return sorted(mention for _, mention in find_types_in(doc, GOLD))


def set_gold_types(doc: Doc, mentions: Iterable[Tuple[int, int, Iterable[str]]]) -> None:
    """Say what the right types of mentions are, for training and evaluation, in place of what was said before.

    mentions: (char_start, char_end, types), of each characters once; types may be none.
    """
    typed = [TypedMention(start, end, tuple((own, 1.0) for own in types)) for start, end, types in mentions]
    for start, end, _ in typed:
        check_within(doc, start, end)
    store_types(doc, GOLD, "", typed)


def find_types_in(doc: Doc, name: str, *place: int) -> Iterator[Tuple[str, TypedMention]]:
    """YIELDS: component and mention, of this place (char_start, char_end) alone where one is given."""
    for component, start, end, types in find_stored(doc, name, *place):
        yield component, TypedMention(start, end, tuple((label, score) for label, score in types))


def store_types(doc: Doc, name: str, component: str, mentions: Iterable[TypedMention]) -> None:
    store(doc, name, component, ((start, end, [list(own) for own in types]) for start, end, types in mentions))


def register_extensions() -> None:
    register_extension(Span, "luke_types", getter=get_luke_types)
