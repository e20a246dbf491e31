"""Tokens split at characters, and what becomes of all that hangs on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

import spacy_luke_ja
from spacy_luke_ja.token_splitting import split_reading, split_tokens

nlp = {mode: spacy_luke_ja.blank(split_mode=mode) for mode in "ABC"}


def parts(doc):
    return [(t.text, t.pos_, t.lemma_, (t.morph.get("Reading") or [None])[0]) for t in doc]


def test_a_part_that_sudachi_knows_has_its_facts():
    doc = nlp["C"].make_doc("選挙管理委員会の人")
    assert doc[0].text == "選挙管理委員会"
    split_tokens(doc, [4])  # 選挙管理 is no unit of Sudachi's, 委員会 is none either
    assert [part[0] for part in parts(doc)] == ["選挙管理", "委員会", "の", "人"]
    assert parts(doc)[0][3] is None
    split = nlp["C"].make_doc("選挙管理委員会の人")
    split_tokens(split, [2, 4, 6])
    assert parts(split)[:4] == [
        ("選挙", "NOUN", "選挙", "センキョ"), ("管理", "NOUN", "管理", "カンリ"), ("委員", "NOUN", "委員", "イイン"), ("会", "NOUN", "会", "カイ"),
    ]  # fmt: skip


def test_a_part_that_nobody_knows_keeps_the_tag():
    doc = nlp["A"].make_doc("訪日した")
    tag = doc[0].tag_
    split_tokens(doc, [1])
    assert [(t.text, t.tag_, t.lemma_, t.norm_) for t in doc[:2]] == [("訪", tag, "訪", "訪"), ("日", tag, "日", "日")]
    assert not doc[0].morph.get("Reading") and [t.text for t in doc] == ["訪", "日", "し", "た"]
    assert doc[2].tag_ == nlp["A"].make_doc("訪日した")[1].tag_


@pytest.mark.parametrize(
    "surfaces, reading, readings",
    [
        (["東京", "タワー"], "トウキョウタワー", ["トウキョウ", "タワー"]),
        (["訪", "日"], "ホウニチ", [None, None]),
        (["タワ", "ー"], "タワー", ["タワ", "ー"]),
        (["お", "茶"], "オチャ", ["オ", "チャ"]),
        (["は", "日"], "ワビ", ["ハ", None]),
        (["訪", "日"], None, [None, None]),
    ],
)
def test_readings(surfaces, reading, readings):
    assert split_reading(surfaces, reading) == readings


def test_the_finer_units_of_other_tokens_stay_with_them():
    doc = nlp["C"].make_doc("訪日と選挙管理委員会")
    split_tokens(doc, [1])
    assert len(doc.user_data["sub_tokens"]) == len(doc)
    split_tokens(doc, [5])
    assert [t.text for t in doc] == ["訪", "日", "と", "選挙", "管理委員会"]
    assert (doc[3].morph.get("Reading"), len(doc.user_data["sub_tokens"])) == (["センキョ"], 5)


def test_a_doc_that_was_saved_can_be_split():
    doc = nlp["C"].make_doc("選挙管理委員会")
    loaded = Doc(nlp["C"].vocab).from_bytes(doc.to_bytes())
    split_tokens(loaded, [2])
    assert loaded[0].morph.get("Reading") == ["センキョ"]


def test_spaces_stay():
    doc = nlp["A"].make_doc("訪日 した 東京")
    split_tokens(doc, [1])
    assert doc.text == "訪日 した 東京"
    assert [(t.text, t.whitespace_) for t in doc][:2] == [("訪", ""), ("日", " ")]


@given(text=st.text(alphabet="訪日米独東京都した。　 ア", min_size=1, max_size=15), data=st.data())
def test_every_position_becomes_an_edge_and_all_else_stays(text, data):
    doc = nlp["C"].make_doc(text)
    split_at = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    bounds = sorted(data.draw(st.sets(st.integers(0, len(doc)), max_size=4)))
    doc.set_ents([Span(doc, a, b, "X") for a, b in zip(bounds, bounds[1:])])
    doc.spans["mine"] = [Span(doc, 0, len(doc), "Y")]
    ents = [(e.start_char, e.end_char, e.label_) for e in doc.ents]
    inside = {char for char in split_at if any(t.idx < char < t.idx + len(t) for t in doc)}
    before = {t.idx: (t.tag_, t.pos_, t.lemma_, str(t.morph), t.text) for t in doc}
    split_tokens(doc, split_at)
    assert doc.text == text
    assert inside <= {t.idx for t in doc}
    assert [(e.start_char, e.end_char, e.label_) for e in doc.ents] == ents
    assert [span.text for span in doc.spans["mine"]] == [doc.text.rstrip(" ") if doc[-1].whitespace_ else doc.text]
    for t in doc:
        if t.idx in before and before[t.idx][4] == t.text:
            assert (t.tag_, t.pos_, t.lemma_, str(t.morph), t.text) == before[t.idx]
    assert all(t.tag_ and t.lemma_ and t.norm_ for t in doc)
