"""A Doc in, its mentions out; types in, an annotated Doc out."""

from typing import List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span, SpanGroup

from ..text.typing import TypedMention
from ..typing_data import set_typed_mentions
from .mention_pipe import spans_of
from .span_groups import LastingSpanGroup


def mentions_in(doc: Doc, mentions_key: Optional[str]) -> List[Tuple[int, int]]:
    """RETURNS: the characters of doc.ents, or of a group in doc.spans, each once."""
    return list(dict.fromkeys((span.start_char, span.end_char) for span in spans_of(doc, mentions_key)))


def annotate_types(
    doc: Doc,
    mentions: Sequence[TypedMention],
    *,
    component: str,
    mentions_key: Optional[str],
    overwrite_labels: bool,
) -> None:
    """Write what the mentions of a Doc are; the settings are LukeEntityTyping's."""
    set_typed_mentions(doc, component, mentions)
    labels = {(own.char_start, own.char_end): own.types[0][0] for own in mentions if own.types}
    if not (overwrite_labels and labels):
        return
    if mentions_key is None:
        doc.set_ents(
            [relabel(ent, labels.get((ent.start_char, ent.end_char))) for ent in doc.ents], default="unmodified"
        )
    elif mentions_key in doc.spans:
        group = doc.spans[mentions_key]
        spans = [relabel(span, labels.get((span.start_char, span.end_char))) for span in group]
        make = LastingSpanGroup if isinstance(group, LastingSpanGroup) else SpanGroup
        doc.spans[mentions_key] = make(doc, name=mentions_key, attrs=group.attrs, spans=spans)


def relabel(span: Span, label: Optional[str]) -> Span:
    if label is None:
        return span
    return Span(span.doc, span.start, span.end, label=label, kb_id=span.kb_id, span_id=span.id)
