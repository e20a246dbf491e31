"""Links of mentions in a Doc, to Wikipedia's titles: gold and predicted alike."""

from typing import Any, Iterable, List, Optional, Tuple

from spacy.tokens import Doc

from .mention_data import Known, found_by, store_gold, store_known
from .text.linking import NIL, LinkedMention

# Not the name of the extension attribute, which others may have registered before us.
LINKS, GOLD = "luke_linked", "luke_gold_links"


def get_linked_mentions(doc: Doc, component: str) -> List[LinkedMention]:
    """What a component found, in text order."""
    return found_by(doc, LINKS, component, read_links)


def set_linked_mentions(doc: Doc, component: str, mentions: Iterable[LinkedMention]) -> None:
    """In place of what this component found before."""
    store_known(doc, LINKS, component, map(write_links, mentions))


def get_gold_links(doc: Doc) -> List[LinkedMention]:
    return found_by(doc, GOLD, "", read_links)


def set_gold_links(doc: Doc, mentions: Iterable[Tuple[int, int, Optional[str]]]) -> None:
    """Say which titles mentions stand for, for training and evaluation, in place of what was said before.

    mentions: (char_start, char_end, title), of each characters once; None or "NIL" where there is no such title.
    """
    linked = [LinkedMention(start, end, title or NIL) for start, end, title in mentions]
    store_gold(doc, GOLD, list(map(write_links, linked)))


def write_links(mention: LinkedMention) -> Tuple[int, int, Any]:
    return mention.char_start, mention.char_end, [mention.title, [list(own) for own in mention.links]]


def read_links(known: Known) -> LinkedMention:
    title, links = known.value
    return LinkedMention(known.char_start, known.char_end, title, tuple((own, score) for own, score in links))
