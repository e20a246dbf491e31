"""What is found in data before training on it."""

import spacy_luke_ja
import toys
from spacy_luke_ja.corpora.inspection import (
    find_contradictions,
    find_cut_by_tokens,
    find_repeated_texts,
    find_shared_pages,
    inspect_subwords,
)
from spacy_luke_ja.corpora.records import make_record
from spacy_luke_ja.text.subwords import SentencePieceEncoder

RECORDS = [make_record(text, spans, page) for (text, spans), page in zip(toys.EXAMPLES, ("1", "2", "", "2"))]


def test_entities_that_cut_tokens():
    cut = find_cut_by_tokens(spacy_luke_ja.blank(), RECORDS)
    assert [str(entity) for entity in cut] == ["地名 日 in 訪日", "地名 独 in 独伊", "地名 伊 in 独伊"]
    assert len(find_cut_by_tokens(spacy_luke_ja.blank(split_mode="C"), RECORDS)) == 3


def test_subwords():
    record = make_record("東京都の𠮷野さんは山田", [(0, 1, "地名"), (4, 6, "人名")])
    found = inspect_subwords(SentencePieceEncoder(toys.processor()), [record])
    assert [str(entity) for entity in found.cut] == ["地名 東 in 東京"] + [
        str(entity) for entity in found.cut if entity.char_span.label == "人名"
    ]
    assert "𠮷" in "".join(found.unknown) and sum(found.unknown.values()) >= 1
    assert found.lengths.tolist() == [len(SentencePieceEncoder(toys.processor()).encode(record.text))]


def test_contradictions():
    one, other = make_record("大阪", [(0, 2, "地名")]), make_record("大阪", [])
    assert find_contradictions({"train": [one, other, one], "dev": [one]}) == ["大阪"]
    assert find_contradictions({"train": [one], "dev": [one]}) == []


def test_repeated_texts_and_shared_pages():
    parts = {
        "train": [make_record("ＡＢＣ 東京", [], "1"), make_record("大阪", [], "2"), make_record("大阪", [], "2")],
        "dev": [make_record("ABC東京", [], "1"), make_record("京都", [])],
    }
    assert find_repeated_texts(parts) == {("train", "dev"): ["ＡＢＣ 東京"], ("train",): ["大阪"]}
    assert find_shared_pages(parts) == {("train", "dev"): ["1"]}
