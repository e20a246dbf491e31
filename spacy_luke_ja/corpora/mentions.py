"""A text and mentions in it in, checked, a Doc that has them out: what readers of data on mentions share."""

from typing import Optional, Sequence, Tuple

from spacy.language import Language
from spacy.tokens import Doc

from ..text.messages import show
from ..token_splitting import span_at, split_tokens
from .records import BadRecord

# The label of mentions of which the data has none.
UNTYPED = "MENTION"


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


def check_span(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        raise BadRecord(f"the span {start}–{end} must be characters of the text, not blank at its edges: {show(text)}")


def check_overlaps(text: str, spans: Sequence[Tuple[int, int]], *, can_overlap: bool) -> None:
    ordered = sorted(spans)
    if not can_overlap and any(own[0] < before[1] for before, own in zip(ordered, ordered[1:])):
        raise BadRecord(f"spans overlap, which doc.ents cannot have: name a group as mentions_key: {show(text)}")
