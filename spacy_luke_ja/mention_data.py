"""What is known of mentions in a Doc, kept in its user_data: gold and predicted alike.

It stands under keys like those of extension attributes of their characters: so it survives to_bytes and a DocBin with
store_user_data=True, and Doc.copy, Doc.from_docs and Span.as_doc(copy_user_data=True) move it along.
"""

from typing import Any, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

from spacy.tokens import Doc

from .user_data import text_length


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


def store_known(doc: Doc, name: str, component: str, mentions: Iterable[Tuple[int, int, Any]]) -> None:
    """In place of what the component said before. mentions: (char_start, char_end, value), several of a place too."""
    data: Any = doc.user_data
    for key in keys_of(doc, name):
        kept = [own for own in data[key] if own[0] != component]
        if kept:
            data[key] = kept
        else:
            del data[key]
    text = doc.text
    for start, end, value in mentions:
        known = data.get(("._.", name, start, end), ())
        data["._.", name, start, end] = [*known, [component, text[start:end], value]]


def store_gold(doc: Doc, name: str, mentions: Sequence[Tuple[int, int, Any]]) -> None:
    """As store_known; a ValueError for a mention that is not in the text."""
    for start, end, _ in mentions:
        check_within(doc, start, end)
    store_known(doc, name, "", mentions)


def check_within(doc: Doc, char_start: int, char_end: int) -> None:
    """Raise a ValueError for a mention that is not in the text."""
    n_chars = text_length(doc)
    if not 0 <= char_start < char_end <= n_chars:
        raise ValueError(f"the mention {char_start}–{char_end} is not within the {n_chars} characters of the text")


def keys_of(doc: Doc, name: str) -> List[Any]:
    return [key for key in doc.user_data if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name)]
