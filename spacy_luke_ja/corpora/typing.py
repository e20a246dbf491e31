"""A file of texts whose mentions have types in, Examples out (spacy-luke-ja.TypingCorpus.v1, for [corpora]).

A line is {"text": "…", "spans": [{"start": 0, "end": 4, "types": ["人名", "政治家"]}]}; types may be none.
"""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.training import Example

from ..text.messages import show
from ..typing_data import set_gold_types
from .mentions import UNTYPED, make_mentioned_doc, parse_annotated
from .parsed import check_on_bad_record, read_parsed
from .records import BadRecord, check_name

Typed = Tuple[int, int, Sequence[str]]


class TypedText(NamedTuple):
    text: str
    mentions: List[Typed]


def create_typing_corpus(
    path: Optional[Path], on_bad_record: str = "raise", mentions_key: Optional[str] = None
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines or of an array, packed or not.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    mentions_key: where the Docs get the mentions: in this group of doc.spans, or in doc.ents when null. As the
        component's setting.
    """
    if path is None:
        raise ValueError("path must name a file of typed mentions (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)
    parse = partial(parse_typed, can_overlap=mentions_key is not None)

    def read(nlp: Language) -> Iterator[Example]:
        for text, mentions in read_parsed(Path(path), parse, on_bad_record=on_bad_record):
            yield make_typing_example(nlp, text, mentions, mentions_key=mentions_key)

    return read


def make_typing_example(
    nlp: Language, text: str, mentions: Iterable[Typed], *, mentions_key: Optional[str] = None
) -> Example:
    """Make an Example of a text whose mentions have types; its tokens are split where a mention begins or ends.

    mentions: (char_start, char_end, types). Raises a ValueError for characters that are not there.
    mentions_key: where both Docs have the mentions: doc.ents when None, where they may not overlap.
    """
    mentions = list(mentions)
    predicted = make_mentioned_doc(nlp, text, [(*own[:2], UNTYPED) for own in mentions], mentions_key)
    reference = predicted.copy()
    set_gold_types(reference, mentions)
    return Example(predicted, reference)


def parse_typed(value: Any, *, can_overlap: bool) -> TypedText:
    """Check an object; raises BadRecord."""
    text, spans = parse_annotated(value, "spans", parse_types, can_overlap=can_overlap)
    types_of: Dict[Tuple[int, int], Dict[str, None]] = {}
    for start, end, types in spans:
        types_of.setdefault((start, end), {}).update(dict.fromkeys(types))
    return TypedText(text, [(start, end, list(types)) for (start, end), types in types_of.items()])


def parse_types(span: Any) -> Tuple[Any, Any, List[str]]:
    types = span.get("types")
    if not isinstance(types, list):
        raise BadRecord(f'a span must be {{"start": 0, "end": 4, "types": ["…"]}}, got {show(span)}')
    return span.get("start"), span.get("end"), [check_name("a type", label) for label in types]
