"""What is to be predicted for each subword of a text."""

import json

import numpy as np
import pytest
import sentencepiece

import toy_corpora
import toys
from scripts.pretraining.gazetteer import Gazetteer
from scripts.pretraining.targets import NONE, Annotator, read_ner_set
from scripts.pretraining.texts import HeldOut
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records
from spacy_luke_ja.text.subwords import SentencePieceEncoder

TEXT = "山田花子は東京都で日立製作所の社長に会った。"


@pytest.fixture(scope="module")
def annotator(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    (path / "sp.model").write_bytes(toys.sentencepiece_model())
    titles = [("kyoto_wiki", "BLD00001", "日立製作所"), ("jawiki_gocon", "1", "東京"), ("jawiki_gocon", "2", "社長")]
    names = [("山田", "人名", "姓", "ヤマダ"), ("花子", "人名", "名", "ハナコ")]
    corpora = toy_corpora.write_corpora(path, titles=titles, names=names, n_sentences=5)
    return Annotator(path / "sp.model", corpora / "linked")


def readable(annotator, text, targets, classes):
    """[(characters, "B class" or "I class" or "-")], by the numbers of part-of-speech targets."""
    offsets = annotator.subwords.encode(text).char_offsets
    names = ["-" if t == NONE else f"{'BI'[t % 2]} {classes[t // 2]}" for t in targets.tolist()]
    return [(text[start:end], name) for (start, end), name in zip(offsets, names)]


def test_parts_of_speech_of_short_units(annotator):
    _, pos_a, _, _ = annotator.annotate(TEXT, [])
    found = readable(annotator, TEXT, pos_a, annotator.pos_classes)
    assert found[:6] == [
        ("", "-"),  # the "▁" before a text
        ("山田", "B 名詞-固有名詞-人名-姓"),
        ("花子", "B 名詞-固有名詞-人名-名"),
        ("は", "B 助詞-係助詞"),
        ("東京", "B 名詞-固有名詞-地名-一般"),
        ("都", "B 名詞-普通名詞-一般"),
    ]


@pytest.mark.parametrize("unit, tag", [("short", "B"), ("long", "I")])
def test_long_units_go_on_where_short_ones_begin_anew(annotator, unit, tag):
    _, pos_a, pos_c, _ = annotator.annotate(TEXT, [])
    found = readable(annotator, TEXT, pos_a if unit == "short" else pos_c, annotator.pos_classes)
    assert dict(found)["都"].startswith(tag)


def test_a_morpheme_of_several_subwords_begins_once(annotator):
    text = "テキスト"
    _, pos_a, _, _ = annotator.annotate(text, [])
    found = [(chars, tag[0]) for chars, tag in readable(annotator, text, pos_a, annotator.pos_classes) if tag != "-"]
    assert len(found) > 1 and [tag for _, tag in found] == ["B"] + ["I"] * (len(found) - 1)


def name_tags(annotator, text, link_texts=()):
    *_, names = annotator.annotate(text, link_texts)
    offsets = annotator.subwords.encode(text).char_offsets
    tags = annotator.name_tags.tags
    return [(text[start:end], tags[i]) for (start, end), i in zip(offsets, names) if i != NONE and tags[i] != "O"]


def test_names_by_the_lists(annotator):
    assert name_tags(annotator, TEXT) == [
        ("山田", "B-surname"), ("花子", "B-given name"), ("東京", "B-title"), ("日立", "B-BLD"), ("製作所", "I-BLD"),
    ]  # fmt: skip


@pytest.mark.parametrize("link_texts, found", [
    (["国会"], [("国会", "B-link"), ("東京", "B-title"), ("国会", "B-link")]),  # wherever it stands
    (["東京"], [("東京", "B-title")]),  # the list says more
    (["国会で東京"], [("東京", "B-title")]),
    (["会で"], [("東京", "B-title")]),  # not between morphemes
    (["国会", "国会で"], [("国会", "B-link"), ("で", "I-link"), ("東京", "B-title"), ("国会", "B-link")]),
])  # fmt: skip
def test_a_link_is_a_name_where_no_list_has_one(annotator, link_texts, found):
    assert name_tags(annotator, "国会で東京を可決、国会", link_texts) == found


def test_a_proper_noun_that_no_list_has_is_left_open(annotator):
    text = "大阪の山田"
    *_, names = annotator.annotate(text, [])
    pieces = [text[start:end] for start, end in annotator.subwords.encode(text).char_offsets]
    tags = dict(zip(pieces, names.tolist()))
    assert tags["大阪"] == NONE and tags["の"] == annotator.name_tags.tags.index("O")
    assert annotator.name_tags.tags[tags["山田"]] == "B-surname"


def test_titles_of_held_out_pages_are_no_names(tmp_path):
    corpora = toy_corpora.write_corpora(tmp_path, n_sentences=5)
    assert Gazetteer(corpora / "linked").classes["任天堂"] == "title"
    assert "任天堂" not in Gazetteer(corpora / "linked", ["任天堂"]).classes


def test_a_text_of_no_subwords(annotator):
    assert [len(array) for array in annotator.annotate("", [])] == [0, 0, 0, 0]


def test_a_text_longer_than_sudachi_takes(annotator):
    text = TEXT * 2500
    ids, pos_a, _, _ = annotator.annotate(text, [])
    found = readable(annotator, text, pos_a, annotator.pos_classes)
    assert found[-1] == ("。", "B 補助記号-句点") and len(ids) == len(pos_a) == len(found)


def test_ner_sets_leave_out_held_out_pages(annotator, ner_json, tmp_path):
    page = split_records(read_stockmark(ner_json, md5=""))["test"][0].page
    entity = {"name": "東京", "span": [0, 2], "type": "LOCATION"}
    wac = [
        {"id": f"wiki{int(page):08}-00-00", "text": "東京の首相。", "entities": [entity]},
        {"id": "wiki00000999-00-00", "text": "東京と大阪。", "entities": [entity]},
    ]
    corpora = toy_corpora.write_corpora(tmp_path, wac=wac, n_sentences=10)
    held_out = HeldOut(ner_json, corpora, md5="")
    arrays, tags = read_ner_set(corpora, "wac", held_out, annotator.subwords)
    assert tags == ["O", "B-LOCATION", "I-LOCATION"]
    assert arrays["starts"].tolist() == [0, len(arrays["ids"])]
    decode = annotator.subwords.processor.id_to_piece
    assert [decode(int(i) - 1) for i in arrays["ids"][:2]] == ["▁", "東京"]
    assert arrays["tags"][:3].tolist() == [0, 1, 0]
    gsd, _ = read_ner_set(corpora, "gsd", held_out, annotator.subwords)
    assert len(gsd["starts"]) - 1 == 10


def test_the_files_that_the_stage_writes(work):
    """Documents in the order of documents.jsonl, each with the subwords of its paragraphs."""
    labels = json.loads((work / "labels.json").read_text(encoding="utf8"))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / "sentencepiece.bpe.model"))
    encoder = SentencePieceEncoder(processor)
    with np.load(work / "corpus.npz") as arrays:
        assert set(arrays.files) == {"ids", "pos_a", "pos_c", "names", "starts"}
        ids, starts, names = arrays["ids"], arrays["starts"], arrays["names"]
        pos_a = arrays["pos_a"]
    documents = [json.loads(line) for line in (work / "documents.jsonl").open(encoding="utf8")]
    assert len(starts) - 1 == len(documents)
    for document, start, end in list(zip(documents, starts, starts[1:]))[::20]:
        expected = [encoder.encode(p["text"]).ids for p in document["paragraphs"]]
        np.testing.assert_array_equal(ids[start:end], np.concatenate(expected))
    assert names[names != NONE].max() < len(labels["names"]) and pos_a[pos_a != NONE].max() < 2 * len(labels["pos"])
    assert {"B-link", "B-surname", "B-RLW"} <= set(labels["names"])
