"""What is known of mentions in a Doc, kept in its user_data: gold and predicted alike.

It stands under keys like those of extension attributes of their characters: so it survives to_bytes and a DocBin with
store_user_data=True, and Doc.copy, Doc.from_docs and Span.as_doc(copy_user_data=True) move it along.
"""

from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Sequence, Tuple, TypeVar

from spacy.tokens import Doc, Span

from .user_data import check_within, drop_of, keys_of

Record = TypeVar("Record", bound=Tuple[Any, ...])


class Known(NamedTuple):
    """component: who says it. value: plain lists, dicts, strings and numbers, which is what msgpack gives back."""

    component: str
    char_start: int
    char_end: int
    value: Any


def find_known(doc: Doc, name: str, *place: int) -> Iterator[Known]:
    """name: what of; YIELDS: all in the Doc, or of this place (char_start, char_end) alone where one is given."""
    data: Any = doc.user_data
    keys: List[Any] = [("._.", name, *place)] if place else keys_of(doc, name)
    text = doc.text if any(key in data for key in keys) else ""
    for key in keys:
        for component, own_text, value in data.get(key, ()):
            start, end = key[2:]
            if 0 <= start and text[start:end] == own_text:  # else a part of a Doc that does not have it
                yield Known(component, start, end, value)


def found_by(doc: Doc, name: str, component: str, read: Callable[[Known], Record]) -> List[Record]:
    """RETURNS: what a component found, or gold where it is "", in text order."""
    return sorted(read(known) for known in find_known(doc, name) if known.component == component)


def likeliest_of(span: Span, name: str, read: Callable[[Known], Tuple[Any, ...]]) -> List[Tuple[str, float]]:
    """
    read: gives a record whose last field has (label, score) each.
    RETURNS: those that all components found of the span's characters, the likeliest first.
    """
    known = find_known(span.doc, name, span.start_char, span.end_char)
    return sorted((own for mention in known for own in read(mention)[-1]), key=lambda own: -own[1])


def store_known(doc: Doc, name: str, component: str, mentions: Iterable[Tuple[int, int, Any]]) -> None:
    """In place of what the component said before. mentions: (char_start, char_end, value), several of a place too."""
    data: Any = doc.user_data
    drop_of(doc, component, name)
    text = doc.text
    for start, end, value in mentions:
        known = data.get(("._.", name, start, end), ())
        data["._.", name, start, end] = [*known, [component, text[start:end], value]]


def store_gold(doc: Doc, name: str, mentions: Sequence[Tuple[int, int, Any]]) -> None:
    """As store_known; a ValueError for a mention that is not in the text."""
    for start, end, _ in mentions:
        check_within(doc, start, end, "mention")
    store_known(doc, name, "", mentions)
