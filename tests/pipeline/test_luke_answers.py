"""Answers on their way: through JSON, joined and parted Docs; labels, parts of Docs, and what cannot be asked."""

import json
import pickle
import warnings

import pytest
import spacy
from spacy import displacy
from spacy.tokens import Doc, DocBin

import spacy_luke_ja
from spacy_luke_ja import get_gold_answers, set_gold_answers
from spacy_luke_ja.qa_data import get_answered

TEXT = "昨日、山田花子は東京都で社長に会った。"
WHO, WHERE, LONG = "誰が会いましたか。", "どこで？", "あいうえお" * 20


@pytest.fixture
def make_qa(answerers):
    def make(name="luke_qa", **config):
        nlp = spacy_luke_ja.blank()
        model = {"name": str(answerers["luke"]), "overlap": 8}
        nlp.add_pipe("luke_qa", name=name, config={"model": model, **config})
        return nlp

    return make


def places(doc):
    return [(a.question, a.char_start, a.text, a.label) for a in doc._.luke_answers]


# Labels


@pytest.mark.parametrize("where", ["setting", "doc", "config"])
def test_questions_with_labels(make_qa, where, tmp_path):
    questions = {"社長": WHO, "所": WHERE}
    nlp = make_qa(questions=questions if where == "setting" else [], spans_key="answers")
    doc = nlp.make_doc("山田花子と東京都")
    if where == "doc":
        doc._.luke_questions = questions
        assert doc._.luke_questions == questions
    if where == "config":
        nlp.get_pipe("luke_qa").questions = questions
        nlp.to_disk(tmp_path)
        nlp = spacy.load(tmp_path)
        assert nlp.config["components"]["luke_qa"]["questions"] == questions
    doc = nlp(doc)
    assert [(a.label, a.question, a.span.label_) for a in doc._.luke_answers] == [
        ("社長", WHO, "社長"), ("所", WHERE, "所"),
    ]  # fmt: skip
    assert [span.label_ for span in doc.spans["answers"]] == ["社長", "所"]
    html = displacy.render(doc, style="span", options={"spans_key": "answers"})
    assert "社長" in html and "所" in html


def test_labels_and_none_together(make_qa):
    nlp = make_qa(questions={"社長": WHO})
    doc = nlp.make_doc(TEXT)
    doc._.luke_questions = [WHO, WHERE]
    assert [(a.label, a.question) for a in nlp(doc)._.luke_answers] == [("社長", WHO), ("answer", WHERE)]


# Parts of Docs


@pytest.mark.parametrize("start, end, answer", [(0, 99, "山田花子"), (5, 99, "東京"), (0, 2, None), (3, 3, None)])
@pytest.mark.parametrize("mode", ["expand", "split"])
def test_a_part_of_a_doc_is_asked(make_qa, start, end, answer, mode):
    nlp = make_qa(alignment_mode=mode)
    doc = nlp.make_doc(TEXT)
    part = doc[start : min(end, len(doc))]
    first, last = part.start_char, part.end_char
    found = nlp.get_pipe("luke_qa").ask(part, WHO)
    if answer:
        assert found.text == answer and TEXT[found.char_start : found.char_end] == answer
        assert answer in found.span.text and found.span.doc is doc and found.doc is doc
    assert not found or first <= found.char_start < found.char_end <= last


def test_parts_and_docs_together(make_qa):
    nlp = make_qa()
    doc, other = nlp.make_doc("東京。" * 30 + "山田花子"), nlp.make_doc(TEXT)
    pairs = [(doc[-4:], WHO), (other, WHO), (doc[4:], WHERE), (other[6:], WHERE)]
    found = nlp.get_pipe("luke_qa").ask_many(pairs)
    for answer, (asked, question) in zip(found, pairs):
        assert asked.text.find(answer.text) >= 0 and answer.doc.text[answer.char_start :].startswith(answer.text)
        assert answer.question == question


# What cannot be asked


def test_an_over_long_question_leaves_the_others_their_answers(make_qa):
    nlp = make_qa("mine", questions=[WHO, LONG])
    docs = [nlp.make_doc(TEXT) for _ in range(3)]
    docs[1]._.luke_questions = [WHERE]
    with pytest.warns(
        UserWarning, match=r"1 of 2 questions could not be asked.*\[mine\] a question may have at most 44"
    ):
        docs = list(nlp.pipe(docs))
    for doc, n in zip(docs, (2, 3, 2)):
        answers = doc._.luke_answers
        assert [a.text for a in answers] == ["山田花子", "", "山田花子"][:n]
        assert "at most 44 subwords" in answers[1].error and not answers[0].error and not answers[1]


@pytest.mark.parametrize("n_best", [None, 2])
def test_over_long_questions_among_many(make_qa, n_best):
    nlp = make_qa()
    doc = nlp.make_doc(TEXT)
    qa = nlp.get_pipe("luke_qa")
    settings = {} if n_best is None else {"n_best": n_best}
    with pytest.warns(UserWarning, match="1 of 3 questions could not be asked"):
        found = qa.ask_many([(doc, WHO), (doc, LONG), (doc, WHERE)], **settings)
    assert [bool(answers) for answers in found] == [True, False, True]
    with pytest.raises(ValueError, match=r"\[luke_qa\] a question may have at most"):
        qa.ask_many([(doc, LONG)] * 2, **settings)


@pytest.mark.parametrize("asked, question", [(None, WHO), (TEXT, WHO), ("doc", ""), ("doc", None), ("doc", LONG)])
def test_errors_name_the_component(make_qa, asked, question):
    nlp = make_qa("mine")
    asked = nlp.make_doc(TEXT) if asked == "doc" else asked
    with pytest.raises(ValueError, match=r"^\[mine\] a question"):
        nlp.get_pipe("mine").ask(asked, question)


def test_an_error_in_training_names_the_component(make_qa):
    from spacy_luke_ja import make_qa_example

    nlp = make_qa("mine")
    with pytest.raises(ValueError, match=r"^\[mine\] a question may have at most"):
        nlp.update([make_qa_example(nlp.make_doc(TEXT), LONG, [(0, 2)])])


# Where Docs go


@pytest.fixture
def docs(make_qa):
    nlp = make_qa(questions={"社長": WHO, "所": WHERE}, null_threshold=0.9)
    return [nlp(text) for text in (TEXT, "", "東京。", "大阪と東京😀へ")]


def test_joined_docs_have_the_answers_of_all(docs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for doc in docs:
            set_gold_answers(doc, WHERE, [(0, 1)] if len(doc) else [])
            doc._.luke_questions = [WHERE]
        joined = Doc.from_docs(docs)
    expected = [(question, doc, text) for doc in docs for question, _, text, _ in places(doc)]
    answers = joined._.luke_answers
    assert [(a.question, a.text) for a in answers] == [(question, text) for question, _, text in expected]
    assert all(joined.text[a.char_start : a.char_end] == a.text for a in answers)
    assert [bool(a) for a in answers] == [bool(text) for *_, text in expected] and any(answers) and not all(answers)
    assert joined._.luke_questions == (WHERE,)
    gold = [joined.text[a.char_start : a.char_end] for asked in get_gold_answers(joined) for a in asked.answers]
    assert gold == [doc.text[0] for doc in docs if len(doc)]


def test_a_part_keeps_the_answers_that_lie_within_it(docs):
    doc = docs[0]
    start = next(token.i for token in doc if token.idx == 3)
    part = doc[start : len(doc) - 2].as_doc(copy_user_data=True)
    assert places(part) == [(WHO, 0, "山田花子", "社長"), (WHERE, 0, "山田花子", "所")]
    assert places(doc[start + 1 :].as_doc(copy_user_data=True)) == []
    assert places(Doc(doc.vocab, words=["別の文"], user_data=doc.user_data)) == []


def test_json_and_back(docs):
    for doc in docs:
        content = json.loads(json.dumps(doc.to_json(underscore=["luke_answers", "luke_questions"])))
        again = Doc(doc.vocab).from_json(content)
        assert places(again) == places(doc) and again._.luke_answers == doc._.luke_answers
        assert again._.luke_questions == doc._.luke_questions
        assert [a.span.text for a in again._.luke_answers if a] == [a.span.text for a in doc._.luke_answers if a]


def test_bytes_docbin_and_pickle(docs):
    for doc in docs:
        copies = [doc.copy(), Doc(doc.vocab).from_bytes(doc.to_bytes()), pickle.loads(pickle.dumps(doc))]
        copies += DocBin(docs=[doc], store_user_data=True).get_docs(doc.vocab)
        for copy in copies:
            assert places(copy) == places(doc) and copy._.luke_answers == doc._.luke_answers


def test_answers_are_replaced_in_their_place(make_qa):
    nlp = make_qa("first", questions=[WHO])
    other = make_qa("second", questions=[WHERE])
    doc = other.get_pipe("second")(nlp(TEXT))
    assert [a.question for a in doc._.luke_answers] == [WHO, WHERE]
    nlp.get_pipe("first").questions = [WHERE, WHO]
    doc = nlp.get_pipe("first")(doc)
    assert [a.question for a in doc._.luke_answers] == [WHERE, WHO, WHERE]
    joined = Doc.from_docs([doc, doc])
    joined = nlp.get_pipe("first")(joined)
    assert [a.question for a in get_answered(joined, "first")] == [WHERE, WHO]
    assert len(get_answered(joined, "second")) == 2
