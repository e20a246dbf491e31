"""A Doc in, its mentions out; and the mentions changed, whether they are doc.ents or a group of doc.spans."""

from typing import Callable, Iterable, List, Optional, Tuple

from spacy.tokens import Doc, Span, SpanGroup

from .span_groups import LastingSpanGroup


def spans_of(doc: Doc, mentions_key: Optional[str]) -> List[Span]:
    """RETURNS: doc.ents, or those of a group in doc.spans, that are not empty."""
    spans: Iterable[Span] = doc.ents if mentions_key is None else doc.spans.get(mentions_key, ())
    return [span for span in spans if span.start < span.end]


def mentions_in(doc: Doc, mentions_key: Optional[str]) -> List[Tuple[int, int]]:
    """RETURNS: their characters, each once."""
    return list(dict.fromkeys((span.start_char, span.end_char) for span in spans_of(doc, mentions_key)))


def change_mentions(doc: Doc, mentions_key: Optional[str], change: Callable[[Span], Span]) -> None:
    """change: a mention → one on the same tokens."""
    if mentions_key is None:
        doc.set_ents([change(ent) for ent in doc.ents], default="unmodified")
    elif mentions_key in doc.spans:
        group = doc.spans[mentions_key]
        make = LastingSpanGroup if isinstance(group, LastingSpanGroup) else SpanGroup
        doc.spans[mentions_key] = make(doc, name=mentions_key, attrs=group.attrs, spans=[change(own) for own in group])
