"""Types of mentions in, an annotated Doc out."""

from typing import Optional, Sequence

from spacy.tokens import Doc, Span

from ..text.typing import TypedMention
from ..typing_data import set_typed_mentions
from .mentions import change_mentions


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
    if overwrite_labels and labels:
        change_mentions(doc, mentions_key, lambda own: relabel(own, labels.get((own.start_char, own.end_char))))


def relabel(span: Span, label: Optional[str]) -> Span:
    if label is None:
        return span
    return Span(span.doc, span.start, span.end, label=label, kb_id=span.kb_id, span_id=span.id)
