"""A file of texts whose mentions have links in, Examples or an alias table out (spacy-luke-ja.LinkingCorpus.v1).

A line is {"text": "…", "links": [{"span": [0, 4], "title": "山田花子"}]}; a title may be null or "NIL": there is none.
"""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from spacy.language import Language
from spacy.training import Example

from ..linking_data import set_gold_links
from ..text.linking import NIL, AliasTable
from ..text.messages import show
from .mentions import UNTYPED, check_overlaps, check_span, make_mentioned_doc
from .parsed import check_on_bad_record, read_parsed
from .records import BadRecord

Linked = Tuple[int, int, Optional[str]]


class LinkedText(NamedTuple):
    text: str
    links: List[Linked]


def create_linking_corpus(
    path: Optional[Path], on_bad_record: str = "raise", mentions_key: Optional[str] = None
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines, also with .gz or .xz.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    mentions_key: where the Docs get the mentions: in this group of doc.spans, or in doc.ents when null. As the
        component's setting.
    """
    if path is None:
        raise ValueError("path must name a file of linked mentions (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def read(nlp: Language) -> Iterator[Example]:
        for text, links in read_linked(Path(path), on_bad_record=on_bad_record, can_overlap=mentions_key is not None):
            yield make_linking_example(nlp, text, links, mentions_key=mentions_key)

    return read


def make_linking_example(
    nlp: Language, text: str, links: Iterable[Linked], *, mentions_key: Optional[str] = None
) -> Example:
    """Make an Example of a text whose mentions have links; its tokens are split where a mention begins or ends.

    links: (char_start, char_end, title); None or "NIL" where there is no such title. Raises a ValueError for characters
        that are not there.
    mentions_key: where both Docs have the mentions: doc.ents when None, where they may not overlap.
    """
    links = list(links)
    predicted = make_mentioned_doc(nlp, text, [(*own[:2], UNTYPED) for own in links], mentions_key)
    reference = predicted.copy()
    set_gold_links(reference, links)
    return Example(predicted, reference)


def count_aliases(paths: Iterable[Union[str, Path]], *, on_bad_record: str = "raise") -> AliasTable:
    """Count what stands for which title in files of linked texts: an alias table for luke_linker.

    paths: as spacy-luke-ja.LinkingCorpus.v1 reads them.
    """
    table = AliasTable()
    for path in paths:
        for text, links in read_linked(Path(path), on_bad_record=on_bad_record, can_overlap=True):
            for start, end, title in links:
                if title not in (None, NIL):
                    table.add(text[start:end], str(title))
    return table


def read_linked(path: Path, *, on_bad_record: str = "raise", can_overlap: bool = True) -> Iterator[LinkedText]:
    yield from read_parsed(path, partial(parse_linked, can_overlap=can_overlap), on_bad_record=on_bad_record)


def parse_linked(value: Any, *, can_overlap: bool) -> LinkedText:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("text"), str)
        or not isinstance(value.get("links"), list)
    ):
        raise BadRecord(f'a record must be {{"text": "…", "links": […]}}, got {show(value)}')
    text: str = value["text"]
    title_of: Dict[Tuple[int, int], Optional[str]] = {}
    for link in value["links"]:
        own = link if isinstance(link, dict) else {}
        span, title = own.get("span"), own.get("title", "")
        start, end = span if isinstance(span, list) and len(span) == 2 else (None, None)
        is_title = title is None or (isinstance(title, str) and title.strip())
        if type(start) is not int or type(end) is not int or not is_title:
            raise BadRecord(f'a link must be {{"span": [0, 4], "title": "…"}}, got {show(link)}')
        start, end = strip_blank(text, start, end)
        check_span(text, start, end)
        if title_of.setdefault((start, end), title) != title:
            raise BadRecord(f"the span {start}–{end} has two titles, {show(title_of[start, end])} and {show(title)}")
    check_overlaps(text, list(title_of), can_overlap=can_overlap)
    return LinkedText(text, [(start, end, title) for (start, end), title in title_of.items()])


def strip_blank(text: str, start: int, end: int) -> Tuple[int, int]:
    """Wikipedia's links may begin or end with a blank."""
    if not 0 <= start < end <= len(text):
        return start, end
    own = text[start:end]
    return start + len(own) - len(own.lstrip()), end - len(own) + len(own.rstrip())
