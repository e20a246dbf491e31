"""What is known of characters of a Doc, kept in its user_data.

It stands under keys like those of extension attributes of their characters: so it survives to_bytes and a DocBin with
store_user_data=True, and Doc.copy, Doc.from_docs and Span.as_doc(copy_user_data=True) move it along.
"""

from typing import Any, Iterable, Iterator, List, Tuple

from spacy.tokens import Doc

from .user_data import text_length


def find_stored(doc: Doc, name: str, *place: int) -> Iterator[Tuple[str, int, int, Any]]:
    """YIELDS: component, char_start, char_end and value; of one place (char_start, char_end) where it is given."""
    data: Any = doc.user_data
    keys: List[Any] = [("._.", name, *place)] if place else keys_of(doc, name)
    text = doc.text if any(key in data for key in keys) else ""
    for key in keys:
        for component, own_text, value in data.get(key, ()):
            start, end = key[2:]
            if 0 <= start and text[start:end] == own_text:  # else a part of a Doc that does not have it
                yield component, start, end, value


def store(doc: Doc, name: str, component: str, values: Iterable[Tuple[int, int, Any]]) -> None:
    """In place of what this component stored before.

    values: (char_start, char_end, value), several of a place too; a value is of what msgpack gives back.
    """
    data: Any = doc.user_data
    for key in keys_of(doc, name):
        kept = [own for own in data[key] if own[0] != component]
        if kept:
            data[key] = kept
        else:
            del data[key]
    text = doc.text
    for start, end, value in values:
        key = ("._.", name, start, end)
        data[key] = [*data.get(key, ()), [component, text[start:end], value]]


def keys_of(doc: Doc, name: str) -> List[Any]:
    return [key for key in doc.user_data if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name)]


def check_within(doc: Doc, char_start: int, char_end: int) -> None:
    """Raise a ValueError for a mention that is not in the text."""
    n_chars = text_length(doc)
    if not 0 <= char_start < char_end <= n_chars:
        raise ValueError(f"the mention {char_start}–{char_end} is not within the {n_chars} characters of the text")
