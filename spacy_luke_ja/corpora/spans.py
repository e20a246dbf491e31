"""A file of texts with spans that may be nested in, Examples out (spacy-luke-ja.SpansCorpus.v1, for [corpora]).

A line is {"text": "…", "spans": [{"start": 0, "end": 4, "label": "組織"}, {"start": 0, "end": 2, "label": "地名"}]}.
Entities that do not overlap are read by spacy-luke-ja.EntityCorpus.v1, in many more formats.
"""

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from spacy.language import Language
from spacy.training import Example

from ..text.messages import show
from .mentions import make_mentioned_doc, parse_annotated
from .parsed import check_on_bad_record, read_parsed
from .records import BadRecord, check_entity


class SpannedText(NamedTuple):
    """spans: (char_start, char_end, label)."""

    text: str
    spans: List[Tuple[int, int, str]]


def create_spans_corpus(
    path: Optional[Path], on_bad_record: str = "raise", spans_key: str = "luke_span_ner"
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file of JSON lines or of an array, packed or not.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    spans_key: the group of doc.spans that the references get. As the component's setting, or its name.
    """
    if path is None:
        raise ValueError("path must name a file of texts with spans (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def read(nlp: Language) -> Iterator[Example]:
        for text, spans in read_parsed(Path(path), parse_spanned, on_bad_record=on_bad_record):
            yield Example(nlp.make_doc(text), make_mentioned_doc(nlp, text, spans, spans_key))

    return read


def parse_spanned(value: Any) -> SpannedText:
    """Check an object; raises BadRecord."""
    text, spans = parse_annotated(value, "spans", parse_span)
    labels: Dict[Tuple[int, int], str] = {}
    for start, end, label in spans:
        if labels.setdefault((start, end), label) != label:
            raise BadRecord(f"the span {start}–{end} has two labels, {labels[start, end]} and {label}: {show(text)}")
    return SpannedText(text, [(start, end, label) for (start, end), label in labels.items()])


def parse_span(own: Any) -> Tuple[int, int, str]:
    return check_entity(own.get("start"), own.get("end"), own.get("label"))[:3]
