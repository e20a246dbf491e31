"""A file of annotated texts in, Examples out (spacy-luke-ja.EntityCorpus.v1, for [corpora])."""

from pathlib import Path
from typing import Callable, Iterator, Optional

from spacy.language import Language
from spacy.training import Example

from .examples import make_example
from .formats import read_records
from .parsed import check_on_bad_record
from .records import Record


def create_entity_corpus(
    path: Optional[Path],
    on_bad_record: str = "raise",
    augmenter: Optional[Callable[[Language, Example], Iterator[Example]]] = None,
) -> Callable[[Language], Iterator[Example]]:
    """
    path: a file in one of the FORMATS of formats.py: JSON, JSON lines, tables of tokens and tags, or .spacy.
    on_bad_record: "raise", or "skip" with a warning, when a record cannot be read.
    augmenter: gives the Examples that stand in the place of each, as spacy.Corpus.v1's; null leaves it alone.

    The reference of each Example is tokenized by the pipeline, its tokens split where an entity cuts them.
    """
    if path is None:
        raise ValueError("path must name a file of annotated texts (say --paths.train train.jsonl), got null")
    check_on_bad_record(on_bad_record)

    def read(nlp: Language) -> Iterator[Example]:
        for record in read_records(path, on_bad_record=on_bad_record):
            example = example_of(nlp, record)
            yield from [example] if augmenter is None else augmenter(nlp, example)

    return read


def example_of(nlp: Language, record: Record) -> Example:
    return make_example(nlp, record.text, record.entities, annotated_labels=record.annotated_labels)
