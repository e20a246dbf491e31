"""Tokens that others merge behind luke_ner and luke_qa, and groups of spans that others left behind before."""

import pickle

import pytest
from spacy.tokens import Doc, DocBin
from spacy.util import filter_spans

import spacy_luke_ja

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"
WHO = "誰が会いましたか。"


def merge_entities(doc):
    with doc.retokenize() as retokenizer:
        for ent in doc.ents:
            retokenizer.merge(ent)


def merge_over_edges(doc):
    """Across the edges of all entities: 山田花子は, 都で."""
    with doc.retokenize() as retokenizer:
        for span in filter_spans([doc[max(0, ent.end - 1) : ent.end + 1] for ent in doc.ents]):
            retokenizer.merge(span)


def merge_all(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[:])


def copies(doc):
    yield doc
    yield Doc(doc.vocab).from_bytes(doc.to_bytes())
    yield doc.copy()
    yield pickle.loads(pickle.dumps(doc))
    for store in (True, False):
        bin_ = DocBin(docs=[doc], store_user_data=store)
        yield from DocBin().from_bytes(bin_.to_bytes()).get_docs(doc.vocab)


@pytest.mark.parametrize("merge", [merge_entities, merge_over_edges, merge_all])
@pytest.mark.parametrize("before", ["nothing", "bytes", "DocBin"])
def test_a_doc_can_be_kept_and_says_nothing_wrong(make_nlp, merge, before):
    doc = make_nlp()(TEXT)
    entities, scores = doc._.luke_entities, {ent.text: ent._.luke_score for ent in doc.ents}
    if before == "bytes":
        doc = Doc(doc.vocab).from_bytes(doc.to_bytes())
    if before == "DocBin":
        (doc,) = DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab)
    merge(doc)
    doc.to_json()
    for copy in copies(doc):
        assert copy.text == TEXT
        assert all(span.text in scores for group in copy.spans.values() for span in group)
        assert all(ent._.luke_score in (scores.get(ent.text), None) for ent in copy.ents)
        if copy.user_data:
            assert copy._.luke_entities == entities


def test_merge_entities_in_the_pipeline(make_nlp):
    nlp = make_nlp()
    nlp.add_pipe("merge_entities")
    for doc in (*nlp.pipe([TEXT] * 3, n_process=2), nlp(TEXT)):
        assert all(len(ent) == 1 and ent._.luke_score > 0.9 for ent in doc.ents)
        for copy in copies(doc):
            assert [ent.text for ent in copy.ents] == [ent.text for ent in doc.ents]


def test_answers(answerers):
    nlp = spacy_luke_ja.blank()
    model = {"name": str(answerers["luke"]), "overlap": 8}
    nlp.add_pipe("luke_qa", config={"model": model, "questions": [WHO], "alignment_mode": "split"})
    doc = nlp(TEXT)
    merge_all(doc)
    for copy in copies(doc):
        if copy.user_data:
            assert copy._.luke_answers[0].text == "山田花子" and copy._.luke_answers[0].span.text == TEXT


@pytest.mark.parametrize("stale", [(0, 9), (8, 9), (3, 4), (2, 2)])
def test_another_components_group_that_fits_no_tokens(make_nlp, stale):
    nlp = make_nlp()
    doc = nlp.make_doc("東京都民と訪日した人")
    if stale[1] > len(doc):
        stale = (stale[0], len(doc))
    span = doc[slice(*stale)]
    chars = (span.start_char, span.end_char)
    doc.spans["others"] = [span, doc[0:1]]
    before = doc.spans["others"]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[1:3])
    doc = nlp(doc)
    assert [t.text for t in doc if t.ent_type_][-1] == "日"
    assert doc.spans["others"] is before and len(before) == 2
    assert before[1].text == "東京"
    if doc.char_span(*chars) is not None:  # its characters are tokens: it is right again
        assert before[0].text == doc.char_span(*chars).text


@pytest.mark.parametrize("config, key", [({}, "luke_ner"), ({"spans_key": "found"}, "found")])
def test_the_group_of_spans(make_nlp, config, key):
    doc = make_nlp(**config)(TEXT)
    group = doc.spans[key]
    assert [span.text for span in group] == [ent.text for ent in doc.ents]
    assert group.attrs["scores"] == [ent._.luke_score for ent in doc.ents]
