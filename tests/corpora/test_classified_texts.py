"""What files of texts with classes say."""

import gzip
import json

import pytest
from spacy.tokens import DocBin

import spacy_luke_ja
from spacy_luke_ja.corpora.textcat import create_textcat_corpus

NLP = spacy_luke_ja.blank()


def write(path, records):
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(path, **settings):
    return [(example.text, example.reference.cats) for example in create_textcat_corpus(path, **settings)(NLP)]


@pytest.mark.parametrize("records, cats", [
    ([{"label": "政治"}, {"label": "経済"}], [{"政治": 1.0, "経済": 0.0}, {"政治": 0.0, "経済": 1.0}]),
    ([{"labels": ["政治", "経済"]}, {"labels": []}], [{"政治": 1.0, "経済": 1.0}, {"政治": 0.0, "経済": 0.0}]),
    ([{"cats": {"政治": 1}}, {"cats": {"経済": 0.0}}], [{"政治": 1.0}, {"経済": 0.0}]),
])  # fmt: skip
@pytest.mark.parametrize("name", ["a.jsonl", "a.json.gz"])
def test_json(tmp_path, name, records, cats):
    path = write(tmp_path / name, [{"text": f"本文{i}", **record} for i, record in enumerate(records)])
    assert read(path) == [("本文0", cats[0]), ("本文1", cats[1])]


def test_docbin(tmp_path):
    doc = NLP("国会で可決した。")
    doc.cats = {"政治": 1.0}
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    assert read(tmp_path / "a.spacy") == [(doc.text, {"政治": 1.0})]


@pytest.mark.parametrize("record, message", [
    ({"text": "東京"}, "one of cats, labels, label is needed"),
    ({"label": "政治"}, 'an object with "text"'),
    ({"text": 3, "label": "政治"}, 'an object with "text"'),
    ({"text": "東京", "label": 3}, "a label must be a string"),
    ({"text": "東京", "labels": [""]}, "a label must be a string that is not empty"),
    ({"text": "東京", "cats": {"政治": 0.5}}, "the value of the label 政治 must be 1.0 or 0.0, got 0.5"),
    ({"text": "東京", "cats": {"政治": None}}, "must be 1.0 or 0.0, got None"),
    ({"text": "東京", "cats": ["政治"]}, '"cats" must be an object'),
    ({"text": "東\ud800", "label": "政治"}, "lone surrogate"),
    ("東京", 'an object with "text"'),
])  # fmt: skip
def test_a_bad_record_is_named_and_can_be_skipped(tmp_path, record, message):
    lines = [json.dumps({"text": "大阪", "label": "経済"}), json.dumps(record)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines), encoding="utf8")
    with pytest.raises(ValueError, match=f"a.jsonl, line 2: .*{message}"):
        read(path)
    with pytest.warns(UserWarning, match="1 of 2 records were skipped"):
        assert read(path, on_bad_record="skip") == [("大阪", {"経済": 1.0})]


@pytest.mark.parametrize("name, message", [("a.csv", "must end in .jsonl"), ("a.jsonl", "there is no file")])
def test_a_file_that_cannot_be_read(tmp_path, name, message):
    with pytest.raises((ValueError, OSError), match=message):
        read(tmp_path / name)
    with pytest.raises(ValueError, match="path must name a file"):
        create_textcat_corpus(None)
