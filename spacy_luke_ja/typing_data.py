"""Types of mentions in a Doc: gold and predicted alike."""

from typing import Any, Iterable, List, Tuple

from spacy.tokens import Doc, Span

from .mention_data import Known, find_known, store_gold, store_known
from .text.typing import TypedMention
from .user_data import register_extension

# Not the name of the extension attribute, which others may have registered before us.
TYPES, GOLD = "luke_typed", "luke_gold_types"


def get_luke_types(span: Span) -> List[Tuple[str, float]]:
    """span._.luke_types: (label, score) of these characters, the likeliest first; [] where nothing was found."""
    known = find_known(span.doc, TYPES, span.start_char, span.end_char)
    return sorted((own for mention in known for own in read_types(mention).types), key=lambda own: -own[1])


def get_typed_mentions(doc: Doc, component: str) -> List[TypedMention]:
    """What a component found, in text order."""
    return sorted(read_types(known) for known in find_known(doc, TYPES) if known.component == component)


def set_typed_mentions(doc: Doc, component: str, mentions: Iterable[TypedMention]) -> None:
    """In place of what this component found before."""
    store_known(doc, TYPES, component, map(write_types, mentions))


def get_gold_types(doc: Doc) -> List[TypedMention]:
    return sorted(map(read_types, find_known(doc, GOLD)))


def set_gold_types(doc: Doc, mentions: Iterable[Tuple[int, int, Iterable[str]]]) -> None:
    """Say what the right types of mentions are, for training and evaluation, in place of what was said before.

    mentions: (char_start, char_end, types), of each characters once; types may be none.
    """
    typed = [TypedMention(start, end, tuple((own, 1.0) for own in types)) for start, end, types in mentions]
    store_gold(doc, GOLD, list(map(write_types, typed)))


def write_types(mention: TypedMention) -> Tuple[int, int, Any]:
    return mention.char_start, mention.char_end, [list(own) for own in mention.types]


def read_types(known: Known) -> TypedMention:
    types = tuple((label, score) for label, score in known.value)
    return TypedMention(known.char_start, known.char_end, types)


def register_extensions() -> None:
    register_extension(Span, "luke_types", getter=get_luke_types)
