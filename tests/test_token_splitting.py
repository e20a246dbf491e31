"""Tokens split at characters, and what becomes of all that hangs on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span, SpanGroup

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


# What hangs on tokens


def full_doc():
    """訪日|した with something in every field that a Doc has."""
    doc = Doc(
        nlp["A"].vocab, words=["彼女", "の", "訪日", "した", "国"], spaces=[True, False, False, True, False],
        tags=list("abcde"), pos=["PRON", "ADP", "NOUN", "VERB", "NOUN"], lemmas=list("vwxyz"),
        heads=[2, 0, 3, 4, 4], deps=["nmod", "case", "obl", "acl", "ROOT"], ents=["B-A", "O", "B-B", "I-B", ""],
        morphs=["Person=3", "", "Reading=ホウニチ|Inflection=x|Case=Acc", "", ""],
    )  # fmt: skip
    doc.ents[1].kb_id_ = "Q1"
    doc.tensor = np.arange(10, dtype="float32").reshape(5, 2)
    doc.cats = {"c": 0.5}
    doc.sentiment = 0.25
    doc.user_hooks["vector"] = lambda doc: np.ones(3)
    doc.user_data["other"] = [1, 2]
    doc.spans["mine"] = [doc[1:3], doc[2:2], doc[0:5]]
    return doc


def test_a_doc_keeps_all_that_is_not_of_a_token():
    doc, before = full_doc(), full_doc()
    same = {name: getattr(doc, name) for name in ("user_data", "cats", "user_hooks", "vocab")}
    groups, group = doc.spans, doc.spans["mine"]
    split_tokens(doc, [5])
    assert all(getattr(doc, name) is value for name, value in same.items())
    assert doc.spans["mine"] is groups["mine"] is group
    assert (doc.cats, doc.sentiment, doc.user_data) == (before.cats, before.sentiment, before.user_data)
    assert doc.vector.tolist() == [1, 1, 1] and doc.text == before.text and not doc.has_unknown_spaces
    assert [(span.start_char, span.end_char) for span in group] == [(3, 6), (4, 4), (0, 10)]
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("彼女", "A"), ("訪日した", "B")]
    doc.to_json(), Doc(doc.vocab).from_bytes(doc.to_bytes(exclude=["user_hooks"])), doc.copy()


def test_the_last_part_is_the_head_and_others_hang_on_it():
    doc = full_doc()
    split_tokens(doc, [5])
    assert [(t.text, t.dep_, t.head.text) for t in doc] == [
        ("彼女", "nmod", "日"), ("の", "case", "彼女"), ("訪", "compound", "日"), ("日", "obl", "した"), ("した", "acl", "国"),
        ("国", "ROOT", "国"),
    ]  # fmt: skip
    assert [t.text for t in doc[3].subtree] == ["彼女", "の", "訪", "日"] and len(list(doc.sents)) == 1


def test_a_part_keeps_what_is_true_of_it():
    doc = full_doc()
    split_tokens(doc, [5])
    assert [str(t.morph) for t in doc[2:4]] == ["Case=Acc", "Case=Acc|Inflection=x"]
    assert [(t.tag_, t.pos_, t.lemma_, t.norm_) for t in doc[2:4]] == [
        ("c", "NOUN", "訪", "訪"),
        ("c", "NOUN", "日", "日"),
    ]
    assert [(t.tag_, t.lemma_) for t in (doc[1], doc[4])] == [("b", "w"), ("d", "y")]


@pytest.mark.parametrize(
    "rows, expected",
    [(5, [0, 1, 2, 2, 3, 4]), (7, [0, 1, 2, 2, 3, 4]), (0, []), (3, [0, 1, 2])],  # spaCy's split leaves too many
)
def test_rows_of_the_tensor(rows, expected):
    doc = full_doc()
    doc.tensor = np.arange(rows, dtype="float32").reshape(rows, 1)
    split_tokens(doc, [5])
    assert doc.tensor.ravel().tolist() == expected


def test_nobody_has_said_where_sentences_begin():
    doc = nlp["A"].make_doc("訪日した。訪米した。")
    split_tokens(doc, [1, 6])
    assert not doc.has_annotation("SENT_START") and "sents" not in doc.to_json()
    doc = nlp["A"].make_doc("訪日した。訪米した。")
    for token in doc:
        token.is_sent_start = token.i in (0, 4)
    split_tokens(doc, [1, 6])
    assert [sent.text for sent in doc.sents] == ["訪日した。", "訪米した。"]


def test_lists_of_sudachi_and_ginza_stay_in_step():
    doc = Doc(nlp["A"].vocab, words=["鹿児島", "空港前", "で", "会う"], spaces=[False] * 4)
    doc.user_data.update(
        sub_tokens=([[], []],) * 4, bunsetu_bi_labels=["B", "I", "I", "B"], bunsetu_heads=(1, 3), clauses={3: [0, 1, 2, 3]},
        bunsetu_position_types=["CONT", "SEM_HEAD", "SYN_HEAD", "ROOT"], clause_heads=[3, 3, 3, 3],
    )  # fmt: skip
    split_tokens(doc, [5])
    assert doc.user_data == {
        "sub_tokens": ([[], []],) * 5, "bunsetu_bi_labels": ["B", "I", "I", "I", "B"], "bunsetu_heads": (2, 4),
        "bunsetu_position_types": ["CONT", "CONT", "SEM_HEAD", "SYN_HEAD", "ROOT"], "clauses": {4: [0, 1, 2, 3, 4]},
        "clause_heads": [4] * 5,
    }  # fmt: skip


def test_lists_of_other_tokens_stay_as_they_are():
    doc = nlp["A"].make_doc("彼が訪日した")
    lists = {"bunsetu_bi_labels": ["B"], "bunsetu_heads": (90,), "clauses": {90: [90]}, "clause_heads": [90]}
    doc.user_data.update(lists)
    split_tokens(doc, [3])
    assert {key: doc.user_data[key] for key in lists} == lists


def test_tokens_taken_before_can_be_read():
    doc = nlp["A"].make_doc("彼が訪日した" * 20)
    tokens, copy = list(doc), doc.copy()
    split_tokens(doc, [3])
    split_tokens(doc, [9])
    assert "".join(token.text for token in tokens) == "".join(token.text for token in copy) == doc.text


def test_many_splits():
    """A split at a time, each through the whole Doc, these took hours."""
    doc = nlp["A"].make_doc("訪日" * 100_000)
    split_tokens(doc, range(1, 200_000, 2))
    assert len(doc) == 200_000 and {token.text for token in doc} == {"訪", "日"}


def test_an_english_doc():
    doc = Doc(nlp["A"].vocab, words=["the", "New-York-based", "firm"], tags=["DT", "JJ", "NN"], pos=["DET", "ADJ", "NOUN"],
              morphs=["", "Degree=Pos", "Number=Sing"])  # fmt: skip
    split_tokens(doc, [7, 8, 12, 13])
    assert [t.text_with_ws for t in doc] == ["the ", "New", "-", "York", "-", "based ", "firm "]
    assert {str(t.morph) for t in doc[1:6]} == {"Degree=Pos"} and {t.pos_ for t in doc[1:6]} == {"ADJ"}


def test_a_group_whose_spans_end_behind_the_doc():
    doc = spacy_luke_ja.blank().make_doc("これは人と訪日")
    doc.spans["others"] = SpanGroup(
        doc, name="a name", attrs={"scores": (1, 2), "of": print}, spans=[doc[0:2], doc[3:5]]
    )
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:4])
    split_tokens(doc, [len(doc.text) - 1])
    group = doc.spans["others"]
    assert (group.name, group.attrs, len(group)) == ("a name", {"scores": (1, 2), "of": print}, 2)
    assert [token.text for token in doc][-2:] == ["訪", "日"]
