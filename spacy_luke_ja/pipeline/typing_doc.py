"""Types of mentions in, an annotated Doc out."""

from typing import List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..mention_data import likeliest_of
from ..text.typing import TypedMention
from ..typing_data import TYPES, read_types, set_typed_mentions
from ..user_data import register_extension
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


def get_luke_types(span: Span) -> List[Tuple[str, float]]:
    """span._.luke_types: (label, score) of these characters, the likeliest first; [] where nothing was found."""
    return likeliest_of(span, TYPES, read_types)


def register_extensions() -> None:
    register_extension(Span, "luke_types", getter=get_luke_types)
