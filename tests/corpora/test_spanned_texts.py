"""spacy-luke-ja.SpansCorpus.v1: texts with spans that may be nested in, Examples with a group out."""

import json

import pytest
import spacy

import spacy_luke_ja

TEXT = "東京都知事が来た。"
GOOD = {"text": TEXT, "spans": [{"start": 0, "end": 5, "label": "役職"}, {"start": 0, "end": 3, "label": "地名"}]}


def read(path, records, **settings):
    path.write_text("\n".join(json.dumps(own, ensure_ascii=False) for own in records), encoding="utf8")
    create = spacy.registry.readers.get("spacy-luke-ja.SpansCorpus.v1")
    return list(create(path, **settings)(spacy_luke_ja.blank()))


def test_nested_spans_are_read(tmp_path):
    first, second = read(tmp_path / "data.jsonl", [GOOD, {"text": TEXT, "spans": []}], spans_key="k")
    assert [(span.text, span.label_) for span in first.reference.spans["k"]] == [
        ("東京都知事", "役職"),
        ("東京都", "地名"),
    ]
    assert not first.predicted.spans and not first.reference.ents and len(second.reference.spans["k"]) == 0


@pytest.mark.parametrize("record, message", [
    ({"text": TEXT}, "a record must be"), ([1], "a record must be"), ({"text": TEXT, "spans": [3]}, "a record must be"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 5}]}, "must be a string that is not empty, got None"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 50, "label": "甲"}]}, "must be characters of the text"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 2, "label": own} for own in "甲乙"]}, "has two labels, 甲 and 乙"),
])  # fmt: skip
def test_other_spans_are_refused_or_left_out(tmp_path, record, message):
    with pytest.raises(ValueError, match=f"data.jsonl, line 2: .*{message}"):
        read(tmp_path / "data.jsonl", [GOOD, record])
    with pytest.warns(UserWarning, match="1 of 2 records were skipped; the first is .*data.jsonl, line 2"):
        assert len(read(tmp_path / "data.jsonl", [GOOD, record], on_bad_record="skip")) == 1
