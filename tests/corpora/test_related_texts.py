"""spacy-luke-ja.RelationsCorpus.v1: records of three shapes in, Examples with gold relations out."""

import json

import pytest
import spacy

import spacy_luke_ja
from spacy_luke_ja.relations_data import get_gold_pairs

TEXT = "山田花子は東京へ行った。"
ENTITIES = [{"start": 0, "end": 4, "label": "人名"}, {"start": 5, "end": 7}]
OWN = {"text": TEXT, "entities": ENTITIES, "relations": [{"head": 0, "tail": 1, "label": "訪問先"}]}
TACRED = {
    "id": "e1", "relation": "訪問先", "token": ["山田", "花子", "は", "東京", "へ", "行っ", "た", "。"],
    "subj_start": 0, "subj_end": 1, "obj_start": 3, "obj_end": 3, "subj_type": "人名", "obj_type": "地名",
}  # fmt: skip
DOCRED = {
    "title": "例", "sents": [["山田", "は", "東京", "へ", "。"], ["山田", "は", "IBM", "Japan", "へ", "。"]],
    "vertexSet": [
        [{"name": "山田", "pos": [0, 1], "sent_id": 0, "type": "PER"}, {"name": "山田", "pos": [0, 1], "sent_id": 1, "type": "PER"}],
        [{"name": "東京", "pos": [2, 3], "sent_id": 0, "type": "LOC"}], [{"name": "IBM Japan", "pos": [2, 4], "sent_id": 1, "type": "ORG"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P1", "evidence": [0]}, {"h": 0, "t": 2, "r": "P2"}, {"h": 0, "t": 2, "r": "P3"}],
}  # fmt: skip


def read(path, records, **settings):
    path.write_text("\n".join(json.dumps(own, ensure_ascii=False) for own in records), encoding="utf8")
    create = spacy.registry.readers.get("spacy-luke-ja.RelationsCorpus.v1")
    return list(create(path, **settings)(spacy_luke_ja.blank()))


def gold_of(example):
    text = example.reference.text
    return [
        (text[slice(*own.head)], own.head[0], text[slice(*own.tail)], own.labels)
        for own in get_gold_pairs(example.reference)
    ]


@pytest.mark.parametrize("record, ents, gold", [
    (OWN, ["山田花子 人名", "東京 MENTION"], [("山田花子", 0, "東京", ("訪問先",))]),
    ({**OWN, "relations": []}, ["山田花子 人名", "東京 MENTION"], []),
    ({**OWN, "relations": [{"head": 1, "tail": 0, "label": own} for own in ("甲", "no_relation", "乙")]},
     ["山田花子 人名", "東京 MENTION"], [("東京", 5, "山田花子", ("甲", "乙"))]),
    (TACRED, ["山田花子 人名", "東京 地名"], [("山田花子", 0, "東京", ("訪問先",)), ("東京", 5, "山田花子", None)]),
    ({**TACRED, "relation": "no_relation"}, ["山田花子 人名", "東京 地名"], [("東京", 5, "山田花子", None)]),
    (DOCRED, ["山田 PER", "東京 LOC", "山田 PER", "IBM Japan ORG"], [
        ("山田", 0, "東京", ("P1",)), ("山田", 0, "IBM Japan", None), ("山田", 7, "東京", None), ("山田", 7, "IBM Japan", ("P2", "P3")),
    ]),
])  # fmt: skip
def test_relations_are_read(tmp_path, record, ents, gold):
    (example,) = read(tmp_path / "data.jsonl", [record])
    assert [f"{ent.text} {ent.label_}" for ent in example.predicted.ents] == ents
    assert [f"{ent.text} {ent.label_}" for ent in example.reference.ents] == ents
    assert gold_of(example) == gold and not get_gold_pairs(example.predicted)


@pytest.mark.parametrize("record, message", [
    ({"text": TEXT}, "a record must be"),
    ({"spans": []}, "or have the keys of TACRED or DocRED"),
    ({**OWN, "entities": [{"start": 0}]}, "start and end of an entity must be whole numbers"),
    ({**OWN, "entities": [{"start": 0, "end": 40}]}, "must be characters of the text"),
    ({**OWN, "relations": [{"head": 0, "tail": 2, "label": "甲"}]}, "must be numbers of the 2 mentions, got 0 and 2"),
    ({**OWN, "relations": [{"head": 0, "tail": -1, "label": "甲"}]}, "must be numbers of the 2 mentions"),
    ({**OWN, "relations": [{"head": True, "tail": 0, "label": "甲"}]}, "must be numbers of the 2 mentions"),
    ({**OWN, "relations": [{"head": 0, "tail": 0, "label": "甲"}]}, "must be different mentions"),
    ({**OWN, "relations": [{"head": 0, "tail": 1}]}, "the label of a relation must be a string"),
    ({**OWN, "entities": [{"start": 0, "end": 4}, {"start": 2, "end": 4}]}, "name a group as mentions_key"),
    ({**TACRED, "obj_end": 8}, "a mention must be some of 8 tokens"),
    ({**TACRED, "obj_start": None}, "a mention must be some of 8 tokens"),
    ({**TACRED, "obj_type": 3}, "must be a string that is not empty, got 3"),
    ({**TACRED, "token": "山田"}, '"token" must be a list of strings'),
    ({**DOCRED, "labels": [{"h": 0, "t": 3, "r": "P1"}]}, "h and t must be numbers of two of the 3 entities"),
    ({**DOCRED, "labels": None}, "a record of DocRED must have"),
    ({**DOCRED, "vertexSet": [[{"pos": [0, 1], "sent_id": 5}]]}, "a mention must have a sent_id and pos"),
    ({**DOCRED, "vertexSet": [[{"pos": [0, 1], "sent_id": 0, "type": ["PER"]}]]}, "must be a string that is not empty"),
    ({**DOCRED, "vertexSet": [[{"pos": [0, 9], "sent_id": 0}]]}, "a mention must be some of 5 tokens"),
])  # fmt: skip
def test_other_records_are_refused_or_left_out(tmp_path, record, message):
    with pytest.raises(ValueError, match=f"data.jsonl, line 2: .*{message}"):
        read(tmp_path / "data.jsonl", [OWN, record])
    with pytest.warns(UserWarning, match="1 of 2 records were skipped; the first is .*data.jsonl, line 2"):
        (example,) = read(tmp_path / "data.jsonl", [OWN, record], on_bad_record="skip")
    assert gold_of(example)


def test_mentions_may_overlap_in_a_group(tmp_path):
    record = {**OWN, "entities": [{"start": 0, "end": 4}, {"start": 2, "end": 4}]}
    (example,) = read(tmp_path / "data.jsonl", [record], mentions_key="m")
    assert [span.text for span in example.predicted.spans["m"]] == ["山田花子", "花子"] and not example.predicted.ents
    assert gold_of(example) == [("山田花子", 0, "花子", ("訪問先",))]


def test_an_array_and_another_name_of_no_relation_are_read(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([TACRED, {**TACRED, "relation": "Other"}]), encoding="utf8")
    create = spacy.registry.readers.get("spacy-luke-ja.RelationsCorpus.v1")
    first, second = create(path, no_relation="Other")(spacy_luke_ja.blank())
    assert gold_of(first)[0][3] == ("訪問先",) and gold_of(second) == [("東京", 5, "山田花子", None)]
    with pytest.raises(ValueError, match="path must name a file of related mentions"):
        create(None)
