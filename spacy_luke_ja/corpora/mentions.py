"""A text and mentions in it in, checked, a Doc that has them out: what readers of data on mentions share."""

from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, TypeVar

from spacy.language import Language
from spacy.tokens import Doc

from ..text.characters import trim_blank
from ..text.messages import show
from ..token_splitting import span_at, split_tokens
from .records import BadRecord, check_characters, check_offsets

# The label of mentions of which the data has none.
UNTYPED = "MENTION"
Said = TypeVar("Said")


def make_mentioned_doc(
    nlp: Language, text: str, mentions: Sequence[Tuple[int, int, str]], mentions_key: Optional[str]
) -> Doc:
    """Make a Doc with mentions; its tokens are split where one begins or ends.

    mentions: (char_start, char_end, label). Raises a ValueError for characters that are not there.
    mentions_key: where they go: doc.ents when None, where they may not overlap.
    """
    for char_start, char_end, _ in mentions:
        if not 0 <= char_start < char_end <= len(text):
            raise ValueError(
                f"the mention {char_start}–{char_end} is not within the {len(text)} characters of {show(text)}"
            )
    doc = nlp.make_doc(text)
    split_tokens(doc, [char for mention in mentions for char in mention[:2]])
    spans = [span_at(doc, *mention) for mention in mentions]
    if mentions_key is None:
        doc.set_ents(spans)
    else:
        doc.spans[mentions_key] = spans
    return doc


def parse_annotated(
    value: Any,
    key: str,
    parse_one: Callable[[Any], Tuple[Any, Any, Said]],
    *,
    can_overlap: bool = True,
    trim: bool = False,
) -> Tuple[str, List[Tuple[int, int, Said]]]:
    """Check an object with a "text", and under a key a list of objects, each on a span of it; raises BadRecord.

    parse_one: such an object → start and end, which are checked here, and what it says of the span.
    trim: whether blank characters at the edges of spans, as Wikipedia's links have them, are left out.
    RETURNS: the text; of each object, char_start, char_end and what it says.
    """
    text, items = (value.get(name) for name in ("text", key)) if isinstance(value, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadRecord(f'a record must be {{"text": "…", "{key}": […]}}, got {show(value)}')
    check_characters("the text", text)
    parsed = []
    for item in items:
        start, end, said = parse_one(item)
        check_offsets(start, end)
        if trim and 0 <= start < end <= len(text):
            start, end = trim_blank(text, start, end)
        check_span(text, start, end)
        parsed.append((start, end, said))
    check_overlaps(text, {(start, end) for start, end, _ in parsed}, can_overlap=can_overlap)
    return text, parsed


def check_span(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        raise BadRecord(f"the span {start}–{end} must be characters of the text, not blank at its edges: {show(text)}")


def check_overlaps(text: str, spans: Iterable[Tuple[int, int]], *, can_overlap: bool) -> None:
    ordered = sorted(spans)
    if not can_overlap and any(own[0] < before[1] for before, own in zip(ordered, ordered[1:])):
        raise BadRecord(f"spans overlap, which doc.ents cannot have: name a group as mentions_key: {show(text)}")
