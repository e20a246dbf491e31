"""ner.json in the shape of the published file, made up here: the real one is not part of the project."""

import json
from collections import Counter

import pytest

import spacy_luke_ja
from spacy_luke_ja import CharSpan, make_example
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records

FIRST_IN_TEST = [4, 9, 12, 14, 15, 29, 30, 31]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "ner.json"
    items = [
        {"curid": str(i // 2), "text": f"訪日した人{i}", "entities": [{"name": "日", "span": [1, 2], "type": "地名"}]}
        for i in range(5343)
    ]
    path.write_text(json.dumps(items), encoding="utf8")
    return path


def test_the_split_is_the_published_one_and_shares_no_page(data):
    parts = split_records(read_stockmark(data, md5=""))
    assert len(parts["test"]) == 1069
    # By the numbers that scikit-learn's train_test_split(test_size=0.2, random_state=0) draws.
    assert [int(record.text[5:]) for record in parts["test"]][:8] == FIRST_IN_TEST
    pages = {part: {record.page for record in records} for part, records in parts.items()}
    assert not pages["train"] & pages["dev"]
    assert not pages["test"] & (pages["train"] | pages["dev"])
    sizes = Counter({part: len(records) for part, records in parts.items()})
    assert 0.05 < sizes["dev"] / (sizes["train"] + sizes["dev"]) < 0.15


def test_references_hold_every_entity(data):
    nlp = spacy_luke_ja.blank(split_mode="C")
    for record in split_records(read_stockmark(data, md5=""))["dev"][:3]:
        example = make_example(nlp, record.text, record.entities)
        assert [(ent.text, ent.label_) for ent in example.reference.ents] == [("日", "地名")]
        assert [t.text for t in example.predicted][:1] == ["訪日"]
        assert example.reference.text == example.predicted.text


def test_records(data):
    record = read_stockmark(data, md5="")[3]
    assert record.char_spans == (CharSpan(1, 2, "地名"),) and record.page == "1"
    assert make_example(spacy_luke_ja.blank(), record.text, [(1, 2, "地名")]).reference.ents[0].text == "日"


def test_bad_data_is_named(data, tmp_path):
    items = json.loads(data.read_text())
    items[7]["entities"][0]["span"] = [0, 1]
    path = tmp_path / "ner.json"
    path.write_text(json.dumps(items))
    with pytest.raises(ValueError, match="ner.json, record 7: '日' does not stand at 0–1"):
        read_stockmark(path, md5="")
    items[7]["entities"] = [{"name": "訪日", "span": [0, 2], "type": "地名"}, *items[8]["entities"]]
    path.write_text(json.dumps(items))
    with pytest.raises(ValueError, match="record 7: the entities 0–2 地名 and 1–2 地名 overlap in '訪日した人7'"):
        read_stockmark(path, md5="")


def test_a_file_that_was_cut_is_refused(data):
    with pytest.raises(
        ValueError, match="was cut or changed on the way: its MD5 is [0-9a-f]{32} .*Remove it and get it"
    ):
        read_stockmark(data)


def test_an_entity_outside_its_text_is_named():
    with pytest.raises(ValueError, match="the entity 1–9 地名 is not within the 2 characters of '東京'"):
        make_example(spacy_luke_ja.blank(), "東京", [(1, 9, "地名")])
