"""Stockmark's ner.json in; its records, in the published split, out.

The data (CC BY-SA 3.0) is not part of this package: github.com/stockmarkteam/ner-wikipedia-dataset.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Dict, List, Union

import numpy as np

from .records import BadRecord, Record, make_record, parse_entity

MD5 = "e9357102cfce3b3ecdb65800a81480a7"  # of ner.json v2.0, 5343 sentences, at commit 5e525c2
PARTS = ("train", "dev", "test")


def read_stockmark(path: Union[str, Path], *, md5: str = MD5) -> List[Record]:
    """Read ner.json; a record's page is the id of its Wikipedia article.

    md5: the checksum the file must have; "" takes any, say a part of the data to try things on.
    Raises a ValueError when it has another, or one that names the record when a span and its text do not agree.
    """
    content = Path(path).read_bytes()
    found = hashlib.md5(content).hexdigest()
    if md5 and found != md5:
        raise ValueError(
            f"{path} is not ner.json v2.0, or it was cut or changed on the way: its MD5 is {found} ({len(content):,} "
            f"bytes), not {md5}. Remove it and get it anew"
        )
    try:
        items = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path} is no ner.json: {error}") from error
    records = []
    for i, item in enumerate(items):
        try:
            record = make_record(item["text"], map(parse_entity, item["entities"]), str(item["curid"]))
        except BadRecord as error:
            raise ValueError(f"{path}, record {i}: {error}") from error
        records.append(record)
    return records


def split_records(records: List[Record]) -> Dict[str, List[Record]]:
    """The published split: 1069 test sentences, and the rest in train and dev.

    The test set is numpy's RandomState(0).permutation(5343)[:1069], as scikit-learn's
    train_test_split(test_size=0.2, random_state=0) draws it. About a tenth of the other pages, by a hash of their
    id, are dev. Sentences of a page that has a sentence in test are in neither train nor dev.
    """
    n_test = math.ceil(0.2 * len(records))
    in_test = set(np.random.RandomState(0).permutation(len(records))[:n_test].tolist())
    test_pages = {records[i].page for i in in_test}
    parts: Dict[str, List[Record]] = {part: [] for part in PARTS}
    for i, record in enumerate(records):
        if i in in_test:
            parts["test"].append(record)
        elif record.page not in test_pages:
            in_dev = int(hashlib.md5(record.page.encode()).hexdigest(), 16) % 10 == 0
            parts["dev" if in_dev else "train"].append(record)
    return parts
