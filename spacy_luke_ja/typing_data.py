"""Types of mentions in a Doc: gold and predicted alike."""

from typing import Any, Iterable, List, Tuple

from spacy.tokens import Doc

from .mention_data import Known, found_by, store_gold, store_known
from .text.typing import TypedMention

# Not the name of the extension attribute, which others may have registered before us.
TYPES, GOLD = "luke_typed", "luke_gold_types"


def get_typed_mentions(doc: Doc, component: str) -> List[TypedMention]:
    """What a component found, in text order."""
    return found_by(doc, TYPES, component, read_types)


def set_typed_mentions(doc: Doc, component: str, mentions: Iterable[TypedMention]) -> None:
    """In place of what this component found before."""
    store_known(doc, TYPES, component, map(write_types, mentions))


def get_gold_types(doc: Doc) -> List[TypedMention]:
    return found_by(doc, GOLD, "", read_types)


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
