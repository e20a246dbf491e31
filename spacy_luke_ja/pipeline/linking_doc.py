"""Links of mentions in, an annotated Doc out."""

from typing import List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..linking_data import LINKS, read_links, set_linked_mentions
from ..mention_data import likeliest_of
from ..text.linking import LinkedMention
from ..user_data import register_extension
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


def get_luke_links(span: Span) -> List[Tuple[str, float]]:
    """span._.luke_links: (title, score) of these characters, the likeliest first; [] where nothing was found."""
    return likeliest_of(span, LINKS, read_links)


def register_extensions() -> None:
    register_extension(Span, "luke_links", getter=get_luke_links)
