"""Links of mentions in, an annotated Doc out."""

from typing import Optional, Sequence

from spacy.tokens import Doc, Span

from ..linking_data import set_linked_mentions
from ..text.linking import LinkedMention
from .mentions import change_mentions


def annotate_links(
    doc: Doc, mentions: Sequence[LinkedMention], *, component: str, mentions_key: Optional[str], overwrite: bool
) -> None:
    """Write which titles the mentions of a Doc stand for; the settings are LukeLinker's."""
    set_linked_mentions(doc, component, mentions)
    titles = {(own.char_start, own.char_end): own.title for own in mentions}

    def link(span: Span) -> Span:
        title = titles.get((span.start_char, span.end_char))
        if title is None or (span.kb_id and not overwrite):
            return span
        return Span(span.doc, span.start, span.end, label=span.label, kb_id=title, span_id=span.id)

    if titles:
        change_mentions(doc, mentions_key, link)
