"""Scores of entities: where they go with the characters, where they cannot, and that none is ever another's."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span

import spacy_luke_ja
from spacy_luke_ja import CharSpan

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"
vocab_nlp = spacy_luke_ja.blank()
luke_ner = vocab_nlp.add_pipe("luke_ner")


def scores(doc):
    return {(ent.start_char, ent.text): ent._.luke_score for ent in doc.ents}


def from_json(doc, underscore):
    return Doc(doc.vocab).from_json(doc.to_json(underscore=underscore))


WAYS = {
    "copy": lambda doc: doc.copy(),
    "bytes": lambda doc: Doc(doc.vocab).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab)),
    "as_doc": lambda doc: doc[:].as_doc(copy_user_data=True),
    "from_docs": lambda doc: Doc.from_docs([doc]),
    "JSON, entities": lambda doc: from_json(doc, ["luke_entities", "luke_alignment"]),
    "JSON, scores": lambda doc: from_json(doc, ["luke_score"]),
    "JSON, all": lambda doc: from_json(doc, ["luke_score", "luke_alignment", "luke_entities"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_they_survive(make_nlp, way):
    doc = make_nlp()(TEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy = WAYS[way](doc)
    assert scores(copy) == scores(doc) and None not in scores(copy).values()
    assert copy._.luke_entities == doc._.luke_entities
    assert copy._.luke_alignment == doc._.luke_alignment


@pytest.mark.parametrize("mode", ["expand", "contract"])
def test_they_survive_where_entities_were_moved(make_nlp, mode):
    with pytest.warns(UserWarning, match="alignment_mode"):
        doc = make_nlp(alignment_mode=mode)(TEXT)
    for way in ("copy", "bytes", "DocBin", "as_doc", "from_docs"):
        copy = WAYS[way](doc)
        assert scores(copy) == scores(doc) and None not in scores(copy).values()
        assert copy._.luke_entities == doc._.luke_entities


def test_json_of_docs_whose_tokens_others_merged(make_nlp):
    with pytest.warns(UserWarning, match="alignment_mode"):
        doc = make_nlp(alignment_mode="strict")(TEXT)  # and with entities that are no tokens
    assert scores(from_json(doc, ["luke_score"])) == scores(doc)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[:])
    assert from_json(doc, ["luke_entities"])._.luke_entities == doc._.luke_entities


def test_a_docbin_without_user_data_has_those_of_the_group(make_nlp):
    doc = make_nlp()(TEXT)
    (copy,) = DocBin(docs=[doc]).get_docs(doc.vocab)
    assert not copy.user_data and scores(copy) == scores(doc)
    del doc.spans["luke_ner"]
    (copy,) = DocBin(docs=[doc]).get_docs(doc.vocab)
    assert set(scores(copy).values()) == {None}
    # A group of others has scores of others.
    copy.spans["sc"] = list(copy.ents)
    copy.spans["sc"].attrs["scores"] = [0.1] * len(copy.ents)
    assert set(scores(copy).values()) == {None}


def test_parts_and_joined_docs(make_nlp):
    nlp = make_nlp()
    doc, other = nlp(TEXT), nlp("大阪の国会に日立製作所。 ")
    joined = Doc.from_docs([doc, other, doc])
    shift = len(TEXT)
    assert [joined.text[a:b] for a, b, *_ in joined._.luke_entities] == [ent.text for ent in joined.ents]
    assert list(scores(joined).values()) == [*scores(doc).values(), *scores(other).values(), *scores(doc).values()]
    assert any(start >= shift for start, _ in scores(joined))
    # What lies outside of a part is not in it, also where its characters come to be those of another text.
    for start, end in [(0, 2), (1, 5), (3, len(doc)), (5, 9)]:
        part = doc[start:end].as_doc(copy_user_data=True)
        joined = Doc.from_docs([part, other, part])
        for now in (part, joined):
            assert [now.text[a:b] for a, b, *_ in now._.luke_entities] == [ent.text for ent in now.ents]


def test_another_entity_on_the_same_characters_has_none(make_nlp):
    doc = make_nlp()(TEXT)
    doc.set_ents([Span(doc, ent.start, ent.end, label="OTHER") for ent in doc.ents])
    assert set(scores(doc).values()) == {None}


def test_the_user_data_of_another_text(make_nlp):
    doc = make_nlp()(TEXT)
    other = Doc(doc.vocab, words=list("山本花子は東京都で"), spaces=[False] * 9, user_data=doc.user_data)
    other.ents = [Span(other, 0, 4, label="人名"), Span(other, 5, 8, label="地名")]
    assert [ent._.luke_score is None for ent in other.ents] == [True, False]
    assert [other.text[a:b] for a, b, *_ in other._.luke_entities] == ["東京都"]


@settings(max_examples=50)
@given(text=st.text(alphabet="訪日米東京都。　 ア", min_size=1, max_size=12), data=st.data())
def test_every_entity_has_its_own_score_on_every_way(text, data):
    doc = vocab_nlp.make_doc(text)
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=5)))
    spans = [
        (a, b, data.draw(st.sampled_from("XY")), i / 10)
        for i, (a, b) in enumerate(zip(edges, edges[1:]))
        if not text[a].isspace() and not text[b - 1].isspace()
    ]
    luke_ner.set_annotations([doc], [[CharSpan(*span) for span in spans]])
    expected = {(a, b, label): score for a, b, label, score in spans}
    for name in ("copy", "bytes", "as_doc", "from_docs", "JSON, entities"):
        copy = WAYS[name](doc)
        assert {(e.start_char, e.end_char, e.label_): e._.luke_score for e in copy.ents} == expected
        assert [tuple(span) for span in copy._.luke_entities] == sorted(spans)
