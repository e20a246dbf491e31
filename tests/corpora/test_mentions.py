"""What all readers of texts with annotated spans refuse alike, and leave out where they may."""

import json

import pytest
import spacy

import spacy_luke_ja

TEXT = "山田花子は東京へ行った。"
BAD = "東\ud83d"  # as JSON can have it, and no UTF-8
READERS = {
    "SpansCorpus": ("spans", lambda start, end, label: {"start": start, "end": end, "label": label}),
    "TypingCorpus": ("spans", lambda start, end, label: {"start": start, "end": end, "types": [label]}),
    "LinkingCorpus": ("links", lambda start, end, label: {"span": [start, end], "title": label}),
    "RelationsCorpus": ("entities", lambda start, end, label: {"start": start, "end": end, "label": label}),
}


def record_of(reader, start=0, end=4, label="人名", text=TEXT, **more):
    key, make = READERS[reader]
    return {"text": text, "relations": [], key: [make(start, end, label)], **more}


@pytest.mark.parametrize("change, message", [
    ({"text": TEXT + "\ud83d"}, "the text has a lone surrogate"),
    ({"label": BAD}, "(label|type|title).* has a lone surrogate"),
    ({"label": ""}, "(label|type|title).* must be a string that is not empty, got ''"),
    ({"label": 3}, "(label|type|title).* must be a string that is not empty, got 3"),
    ({"start": True}, "start and end of an entity must be whole numbers, got True and 4"),
    ({"end": 4.0}, "must be whole numbers, got 0 and 4.0"),
    ({"end": None}, "must be whole numbers, got 0 and None"),
    ({"start": -1}, "the span -1–4 must be characters of the text"),
    ({"end": 0}, "the span 0–0 must be characters of the text"),
    ({"end": 40}, "the span 0–40 must be characters of the text"),
    ({"text": 3}, "a record must be"),
    ({"spans": 3, "links": 3, "entities": 3}, "a record must be"),
    ({"spans": [3], "links": [3], "entities": [3]}, "a record must be"),
])  # fmt: skip
@pytest.mark.parametrize("reader", READERS)
def test_bad_records_are_refused_or_left_out(tmp_path, reader, change, message):
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, (record_of(reader), record_of(reader, **change)))), encoding="utf8")
    create = spacy.registry.readers.get(f"spacy-luke-ja.{reader}.v1")
    with pytest.raises(ValueError, match=f'data.jsonl, line 2: .*{message}.*; with "skip" for on_bad_record'):
        list(create(path)(spacy_luke_ja.blank()))
    with pytest.warns(UserWarning, match="^1 of 2 records were skipped; the first is .*data.jsonl, line 2: "):
        (example,) = create(path, on_bad_record="skip")(spacy_luke_ja.blank())
    assert example.text == TEXT


def test_labels_of_relations_are_checked_alike(tmp_path):
    record = record_of("RelationsCorpus", relations=[{"head": 0, "tail": 1, "label": BAD}])
    record["entities"].append({"start": 5, "end": 7})
    (tmp_path / "data.jsonl").write_text(json.dumps(record), encoding="utf8")
    create = spacy.registry.readers.get("spacy-luke-ja.RelationsCorpus.v1")
    with pytest.raises(ValueError, match="the label of a relation has a lone surrogate"):
        list(create(tmp_path / "data.jsonl")(spacy_luke_ja.blank()))
