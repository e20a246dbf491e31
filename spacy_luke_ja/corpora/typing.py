"""A file of texts whose mentions have types in, Examples out (spacy-luke-ja.TypingCorpus.v1, for [corpora]).

A line is {"text": "…", "spans": [{"start": 0, "end": 4, "types": ["人名", "政治家"]}]}; types may be none.
"""

import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.training import Example

from ..text.messages import show
from ..text.typing import overlapping
from ..token_splitting import span_at, split_tokens
from ..typing_data import set_gold_types
from .formats import check_on_bad_record
from .json_values import read_json_values
from .records import BadRecord

Typed = Tuple[int, int, Sequence[str]]
# Of the mentions in doc.ents or doc.spans: what they are is not to be read there.
UNTYPED = "MENTION"


class TypedText(NamedTuple):
    text: str
    mentions: List[Typed]


def create_typing_corpus(
    path: Optional[Path], on_bad_record: str = "raise", mentions_key: Optional[str] = None
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    mentions_key: where the Docs get the mentions: in this group of doc.spans, or in doc.ents when null. As the
        component's setting.
    """
    if path is None:
        raise ValueError("path must name a file of typed mentions (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def read(nlp: Language) -> Iterator[Example]:
        for text, mentions in read_typed(Path(path), on_bad_record=on_bad_record, can_overlap=mentions_key is not None):
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
    predicted = nlp.make_doc(text)
    for char_start, char_end, _ in mentions:
        if not 0 <= char_start < char_end <= len(text):
            raise ValueError(
                f"the mention {char_start}–{char_end} is not within the {len(text)} characters of {show(text)}"
            )
    split_tokens(predicted, [char for mention in mentions for char in mention[:2]])
    spans = [span_at(predicted, *mention[:2], UNTYPED) for mention in mentions]
    if mentions_key is None:
        predicted.set_ents(spans)
    else:
        predicted.spans[mentions_key] = spans
    reference = predicted.copy()
    set_gold_types(reference, mentions)
    return Example(predicted, reference)


def read_typed(path: Path, *, on_bad_record: str, can_overlap: bool) -> Iterator[TypedText]:
    """Read a file; the errors name it and the line."""
    if not path.is_file():
        raise OSError(f"there is no file {path}")
    bad: List[str] = []
    for place, value in read_json_values(path):
        try:
            yield parse_typed(value, can_overlap=can_overlap)
        except BadRecord as error:
            if on_bad_record == "raise":
                advice = 'with "skip" for on_bad_record, such records are left out'
                raise ValueError(f"{path}, {place}: {error}; {advice}") from error
            bad.append(f"{place}: {error}")
    if bad:
        warnings.warn(f"{path}: {len(bad)} records were left out; the first, {bad[0]}")


def parse_typed(value: Any, *, can_overlap: bool) -> TypedText:
    if isinstance(value, BadRecord):
        raise value
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("text"), str)
        or not isinstance(value.get("spans"), list)
    ):
        raise BadRecord(f'a record must be {{"text": "…", "spans": […]}}, got {show(value)}')
    text: str = value["text"]
    types_of: Dict[Tuple[int, int], Dict[str, None]] = {}
    for span in value["spans"]:
        own = span if isinstance(span, dict) else {}
        start, end, types = own.get("start"), own.get("end"), own.get("types")
        is_list = isinstance(types, list) and all(isinstance(label, str) and label for label in types)
        if type(start) is not int or type(end) is not int or not is_list:
            raise BadRecord(f'a span must be {{"start": 0, "end": 4, "types": ["…"]}}, got {show(span)}')
        if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
            raise BadRecord(
                f"the span {start}–{end} must be characters of the text, not blank at its edges: {show(text)}"
            )
        types_of.setdefault((start, end), {}).update(dict.fromkeys(types or ()))
    if not can_overlap and overlapping(list(types_of)):
        raise BadRecord(f"spans overlap, which doc.ents cannot have: name a group as mentions_key: {show(text)}")
    return TypedText(text, [(start, end, list(types)) for (start, end), types in types_of.items()])
