"""A file of texts with mentions in, their records out; and an Example that has the mentions where a component looks."""

import warnings
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple, TypeVar

from spacy.language import Language
from spacy.training import Example

from ..text.messages import show
from ..token_splitting import span_at, split_tokens
from .json_values import read_json_values
from .records import BadRecord

# Of the mentions in doc.ents or doc.spans: what they are is not to be read there.
UNTYPED = "MENTION"
Parsed = TypeVar("Parsed")


def make_mention_example(
    nlp: Language, text: str, mentions: Sequence[Tuple[int, int]], *, mentions_key: Optional[str]
) -> Example:
    """Make an Example whose tokens are split where a mention begins or ends; nothing is said of the mentions yet.

    mentions: (char_start, char_end). Raises a ValueError for characters that are not there.
    mentions_key: where both Docs have the mentions: doc.ents when None, where they may not overlap.
    """
    predicted = nlp.make_doc(text)
    for char_start, char_end in mentions:
        if not 0 <= char_start < char_end <= len(text):
            raise ValueError(
                f"the mention {char_start}–{char_end} is not within the {len(text)} characters of {show(text)}"
            )
    split_tokens(predicted, [char for mention in mentions for char in mention])
    spans = [span_at(predicted, *mention, UNTYPED) for mention in mentions]
    if mentions_key is None:
        predicted.set_ents(spans)
    else:
        predicted.spans[mentions_key] = spans
    return Example(predicted, predicted.copy())


def read_mention_records(path: Path, parse: Callable[[Any], Parsed], *, on_bad_record: str) -> Iterator[Parsed]:
    """Read a file of JSON lines; the errors name it and the line.

    parse: what a line holds → a record; raises BadRecord.
    """
    if not path.is_file():
        raise OSError(f"there is no file {path}")
    bad: List[str] = []
    for place, value in read_json_values(path):
        try:
            if isinstance(value, BadRecord):
                raise value
            yield parse(value)
        except BadRecord as error:
            if on_bad_record == "raise":
                advice = 'with "skip" for on_bad_record, such records are left out'
                raise ValueError(f"{path}, {place}: {error}; {advice}") from error
            bad.append(f"{place}: {error}")
    if bad:
        warnings.warn(f"{path}: {len(bad)} records were left out; the first, {bad[0]}")


def check_place(text: str, start: int, end: int) -> None:
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        raise BadRecord(f"the span {start}–{end} must be characters of the text, not blank at its edges: {show(text)}")


def check_overlap(text: str, mentions: Sequence[Tuple[int, int]]) -> None:
    """For mentions that are to be doc.ents."""
    ordered = sorted(mentions)
    if any(own[0] < before[1] for before, own in zip(ordered, ordered[1:])):
        raise BadRecord(f"spans overlap, which doc.ents cannot have: name a group as mentions_key: {show(text)}")
