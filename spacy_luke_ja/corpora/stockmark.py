"""Stockmark's ner.json in; its records, the published split, and Examples out.

The data (CC BY-SA 3.0) is not part of this package: github.com/stockmarkteam/ner-wikipedia-dataset.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple, Union

import numpy as np
from spacy.language import Language
from spacy.training import Example

from ..text.decoding import CharSpan
from .examples import make_example

N_SENTENCES = 5343
N_TEST = 1069
PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class Record:
    """One sentence; page: the id of its Wikipedia article."""

    text: str
    char_spans: Tuple[CharSpan, ...]
    page: str

    @property
    def entities(self) -> List[Tuple[int, int, str]]:
        return [(span.char_start, span.char_end, span.label) for span in self.char_spans]


def read_stockmark(path: Union[str, Path]) -> List[Record]:
    """Read ner.json; raises a ValueError that names the record when a span and its text do not agree."""
    records = []
    for i, item in enumerate(json.loads(Path(path).read_text(encoding="utf8"))):
        spans = []
        for entity in item["entities"]:
            start, end = entity["span"]
            if item["text"][start:end] != entity["name"]:
                raise ValueError(f"record {i} of {path}: {entity['name']!r} does not stand at {start}–{end}")
            spans.append(CharSpan(start, end, entity["type"]))
        records.append(Record(item["text"], tuple(sorted(spans)), item["curid"]))
    return records


def split_records(records: List[Record]) -> Dict[str, List[Record]]:
    """The published split: 1069 test sentences, and the rest in train and dev.

    The test set is numpy's RandomState(0).permutation(5343)[:1069], as scikit-learn's
    train_test_split(test_size=0.2, random_state=0) draws it. About a tenth of the other pages, by a hash of their
    id, are dev. Sentences of a page that has a sentence in test are in neither train nor dev.
    """
    if len(records) != N_SENTENCES:
        raise ValueError(f"the split is that of ner.json v2.0 with {N_SENTENCES} sentences, got {len(records)}")
    in_test = set(np.random.RandomState(0).permutation(N_SENTENCES)[:N_TEST].tolist())
    test_pages = {records[i].page for i in in_test}
    parts: Dict[str, List[Record]] = {part: [] for part in PARTS}
    for i, record in enumerate(records):
        if i in in_test:
            parts["test"].append(record)
        elif record.page not in test_pages:
            in_dev = int(hashlib.md5(record.page.encode()).hexdigest(), 16) % 10 == 0
            parts["dev" if in_dev else "train"].append(record)
    return parts


def create_corpus(path: Path, part: str) -> Callable[[Language], Iterator[Example]]:
    """A corpus reader (spacy-luke-ja.StockmarkCorpus.v1).

    path: ner.json.
    part: train, dev or test.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part}")

    def read(nlp: Language) -> Iterator[Example]:
        for record in split_records(read_stockmark(path))[part]:
            yield make_example(nlp, record.text, record.entities)

    return read
