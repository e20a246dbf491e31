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
from .mentions import UNTYPED, make_mentioned_doc, parse_annotated
from .parsed import check_on_bad_record, read_parsed
from .records import BadRecord, check_name

Linked = Tuple[int, int, Optional[str]]


class LinkedText(NamedTuple):
    text: str
    links: List[Linked]


def create_linking_corpus(
    path: Optional[Path], on_bad_record: str = "raise", mentions_key: Optional[str] = None
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines or of an array, packed or not.
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
    """Check an object; raises BadRecord."""
    text, links = parse_annotated(value, "links", parse_link, can_overlap=can_overlap, trim=True)
    title_of: Dict[Tuple[int, int], Optional[str]] = {}
    for start, end, title in links:
        if title_of.setdefault((start, end), title) != title:
            raise BadRecord(f"the span {start}–{end} has two titles, {show(title_of[start, end])} and {show(title)}")
    return LinkedText(text, [(start, end, title) for (start, end), title in title_of.items()])


def parse_link(link: Any) -> Tuple[Any, Any, Optional[str]]:
    span, title = link.get("span"), link.get("title", "")
    if not isinstance(span, list) or len(span) != 2:
        raise BadRecord(f'a link must be {{"span": [0, 4], "title": "…"}}, got {show(link)}')
    if title is not None:
        check_name("a title", title.strip() if isinstance(title, str) else title)
    return span[0], span[1], title
