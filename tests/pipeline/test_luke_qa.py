"""What luke_qa answers, where it writes it, and how it behaves in a pipeline. What it knows is in toys.ANSWERS."""

import json
import pickle
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from safetensors.torch import load_file, save_file
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from spacy.vocab import Vocab
from thinc.api import Adam

import spacy_luke_ja
from spacy_luke_ja import get_gold_answers, make_qa_example, set_gold_answers
from spacy_luke_ja.corpora.examples import make_paragraph_example

TEXT = "昨日、山田花子は東京都で社長に会った。"
WHO, WHERE = "誰が会いましたか。", "どこで？"


@pytest.fixture
def make_qa(answerers):
    def make(name="luke", model=None, **config):
        nlp = spacy_luke_ja.blank()
        path = str(answerers.get(name, name))
        nlp.add_pipe("luke_qa", config={"model": {"name": path, "overlap": 8, **(model or {})}, **config})
        return nlp

    return make


def ask(nlp, text, question=WHO, **settings):
    return nlp.get_pipe("luke_qa").ask(nlp.make_doc(text), question, **settings)


def test_an_answer_has_its_characters_and_its_span(make_qa):
    answer = ask(make_qa(), TEXT)
    assert (answer.text, answer.char_start, answer.char_end) == ("山田花子", 3, 7)
    assert answer.span.text == "山田花子" and answer.question == WHO and answer
    assert 0.9 < answer.score < 1 and answer.null_score < 1e-6


def test_n_best(make_qa):
    answers = ask(make_qa(allow_overlap=True), TEXT, n_best=3)
    assert [a.text for a in answers] == ["山田花子", "山田花子は東京", "東京"]
    assert answers[0].score > answers[1].score > answers[2].score
    answers = ask(make_qa(), TEXT, n_best=3)
    assert [a.text for a in answers[:2]] == ["山田花子", "東京"]
    assert all(a.char_end <= b.char_start or b.char_end <= a.char_start for a in answers for b in answers if a is not b)
    assert len(ask(make_qa(), TEXT, n_best=1)) == 1


@pytest.mark.parametrize("mode, span", [("expand", "東京都"), ("strict", None), ("contract", None), ("split", "東京")])
def test_alignment(make_qa, mode, span):
    nlp = make_qa(alignment_mode=mode)
    doc = Doc(nlp.vocab, words=["彼", "は", "東京都", "へ"], spaces=[False] * 4)
    answer = nlp.get_pipe("luke_qa").ask(doc, WHERE)
    assert (answer.text, answer.char_start, answer.char_end) == ("東京", 2, 4)
    assert (answer.span.text if answer.span is not None else None) == span
    assert [t.text for t in doc] == (
        ["彼", "は", "東京", "都", "へ"] if mode == "split" else ["彼", "は", "東京都", "へ"]
    )


def test_many_questions_of_one_doc_keep_their_spans_when_tokens_split(make_qa):
    nlp = make_qa(alignment_mode="split")
    doc = Doc(nlp.vocab, words=["山田花子さん", "は", "東京都", "へ"], spaces=[False] * 4)
    answers = nlp.get_pipe("luke_qa").ask_many([(doc, WHO), (doc, WHERE)], n_best=3)
    for own in answers:
        assert [a.span.text for a in own] == [a.text for a in own]
    assert doc.text == "山田花子さんは東京都へ"


def test_many_docs_and_questions(make_qa):
    nlp = make_qa()
    pairs = [
        (nlp.make_doc(text), question)
        for text in (TEXT, "東京", "あ" * 500 + "東京" + "い" * 300)
        for question in (WHO, WHERE)
    ]
    together = nlp.get_pipe("luke_qa").ask_many(pairs)
    assert [a.text for a in together] == ["山田花子", "山田花子", "東京", "東京", "東京", "東京"]
    for (doc, question), answer in zip(pairs, together):
        alone = nlp.get_pipe("luke_qa").ask(doc, question)
        assert (alone.text, alone.char_start) == (answer.text, answer.char_start)
        assert alone.score == pytest.approx(answer.score, abs=2e-2)
    assert nlp.get_pipe("luke_qa").ask_many([]) == []


@pytest.mark.parametrize("before, behind", [(0, 0), (3000, 0), (0, 3000), (1500, 1500), (50_000, 50_000)])
def test_an_answer_anywhere_in_a_text_of_any_length(make_qa, before, behind):
    text = "あい。" * (before // 3) + "山田花子" + "うえ。" * (behind // 3)
    answer = ask(make_qa(), text)
    assert (answer.text, answer.char_start) == ("山田花子", 3 * (before // 3))


def test_an_answer_at_every_place_around_a_window_edge(make_qa):
    nlp = make_qa()
    for n in range(30, 70):
        assert ask(nlp, "あ" * n + "山田花子" + "い" * 80).char_start == n


@pytest.mark.parametrize(
    "text, answer", [("ﾔﾏﾀﾞと山田花子", "山田花子"), ("　東　京　と東京　", "東京"), ("㈱と\n東京\n㍿", "東京")]
)
def test_other_widths_and_spaces(make_qa, text, answer):
    nlp = make_qa()
    found = ask(nlp, text)
    assert found.text == answer == text[found.char_start : found.char_end]


def test_answers_of_one_score_come_in_text_order(make_qa):
    answers = ask(make_qa(max_answer_length=2), "東京と東京と東京", n_best=3)
    assert [a.char_start for a in answers] == [0, 3, 6]


@pytest.mark.parametrize("top_n", [1, 20])
def test_null_score_does_not_depend_on_length_or_top_n(make_qa, top_n):
    nlp = make_qa(top_n=top_n, model={"precision": "float32"})
    scores = [ask(nlp, "あ" * n + "山田花子" + "い" * n).null_score for n in (0, 10, 1000, 10_000)]
    assert scores == pytest.approx([scores[0]] * 4, rel=0.2) and 0 < scores[0] < 1


def test_no_answer(make_qa):
    nlp = make_qa(null_threshold=0.5)
    (likely,) = ask(make_qa(), "うえ", n_best=1)
    assert bool(ask(nlp, "うえ")) == (likely.null_score <= 0.5)
    nlp = make_qa(null_threshold=0.0)
    answer = ask(nlp, TEXT)
    assert not answer and answer.span is None and answer.text == "" == TEXT[answer.char_start : answer.char_end]
    assert answer.score == answer.null_score > 0 and answer.question == WHO
    assert ask(nlp, TEXT, n_best=5) == []


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_text_without_characters_answers_nothing(make_qa, text):
    nlp = make_qa()
    answer = nlp.get_pipe("luke_qa").ask(Doc(nlp.vocab, words=[text] if text else []), WHO)
    assert not answer and answer.null_score > 0


@pytest.mark.parametrize("question", ["", " ", "　\n", None, 3])
def test_an_empty_question(make_qa, question):
    with pytest.raises(ValueError, match="a question must be a string that is not empty"):
        ask(make_qa(), TEXT, question)


def test_too_long_a_question(make_qa):
    assert ask(make_qa(), TEXT, "あ" * 40)
    with pytest.raises(ValueError, match="a question may have at most 44 subwords"):
        ask(make_qa(), TEXT, "あいうえお" * 20)


def test_a_question_of_a_string(make_qa):
    with pytest.raises(ValueError, match=r"a question is asked of a Doc, which nlp\(text\) makes; got '昨日"):
        make_qa().get_pipe("luke_qa").ask(TEXT, WHO)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"questions": [""]}, "a question must be a string"),
        ({"alignment_mode": "widen"}, "alignment_mode must be one of"),
        ({"max_answer_length": 0}, "max_answer_length must be at least 1, got 0"),
        ({"top_n": 0}, "top_n must be at least 1, got 0"),
        ({"null_threshold": 1.5}, "null_threshold must be between 0 and 1, got 1.5"),
        ({"model": {"overlap": 32}}, "overlap must be at most 29.*takes 60 subwords of question and text, got 32"),
    ],
)
def test_settings_that_cannot_be(make_qa, settings, message):
    with pytest.raises(ValueError, match=message):
        ask(make_qa(**settings), TEXT)


def test_an_end_that_is_not_part_of_the_answer(make_qa):
    answer = ask(make_qa(end_inclusive=False), TEXT)
    assert answer.text == "山田"  # 花子 marks the end


# In a pipeline


def test_questions_of_the_setting_and_of_the_doc(make_qa):
    nlp = make_qa(questions=[WHO], spans_key="answers")
    doc = nlp.make_doc(TEXT)
    doc._.luke_questions = [WHERE, WHO]
    doc = nlp(doc)
    assert [(a.question, a.text) for a in doc._.luke_answers] == [(WHO, "山田花子"), (WHERE, "山田花子")]
    group = doc.spans["answers"]
    assert [(s.text, s.label_) for s in group] == [("山田花子", "answer")] * 2
    assert group.attrs["questions"] == [WHO, WHERE]
    assert group.attrs["scores"] == [a.score for a in doc._.luke_answers]
    assert [a.span.text for a in doc._.luke_answers] == ["山田花子"] * 2


def test_without_questions_nothing_is_asked(make_qa):
    nlp = make_qa("no such directory")
    with pytest.raises(OSError):
        nlp(TEXT)
    doc = make_qa()(TEXT)
    assert doc._.luke_answers == [] and not doc.spans["luke_qa"] and doc._.luke_questions == ()


def test_questions_must_be_a_list(make_qa):
    doc = make_qa().make_doc(TEXT)
    with pytest.raises(ValueError, match="questions must be a list of strings"):
        doc._.luke_questions = "誰？"
    with pytest.raises(ValueError, match="questions must be a list of strings"):
        nlp = make_qa()
        type(nlp.get_pipe("luke_qa"))(nlp.vocab, nlp.get_pipe("luke_qa").model, questions="誰？")


def test_a_stream_goes_on_and_keeps_its_order(make_qa):
    nlp = make_qa()
    errors = []
    nlp.set_error_handler(lambda name, pipe, docs, error: errors.append((docs[0].text, str(error))))
    docs = [nlp.make_doc(f"{i}番は東京") for i in range(30)]
    for i, doc in enumerate(docs):
        doc._.luke_questions = [WHERE] if i % 10 else ["あいうえお" * 20]
    found = list(nlp.get_pipe("luke_qa").pipe(docs, batch_size=7))
    assert [doc.text for doc in found] == [doc.text for i, doc in enumerate(docs) if i % 10]
    assert all(doc._.luke_answers[0].text == "東京" for doc in found)
    assert len(errors) == 3 and "at most" in errors[0][1]


def test_answers_survive_bytes_docbin_and_processes(make_qa):
    nlp = make_qa(questions=[WHO])
    doc = nlp(TEXT)
    for copy in (
        Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        next(iter(DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab))),
        next(iter(nlp.pipe([TEXT], n_process=2))),
        doc.copy(),
    ):
        (answer,) = copy._.luke_answers
        assert (answer.text, answer.question) == ("山田花子", WHO) and answer.span.text == "山田花子"
        assert answer.score == pytest.approx(doc._.luke_answers[0].score, abs=1e-2)


def test_answers_of_a_doc_whose_tokens_were_merged_since(make_qa):
    doc = make_qa(questions=[WHO], alignment_mode="split")(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:4])
    assert doc._.luke_answers[0].text == "山田花子"
    assert "山田花子" in doc._.luke_answers[0].span.text


def test_threads_ask_at_once(make_qa):
    nlp = make_qa()
    docs = [nlp.make_doc("あ" * i + "東京") for i in range(20)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda doc: nlp.get_pipe("luke_qa").ask(doc, WHERE), docs))
    assert [a.char_start for a in answers] == list(range(20))


def test_it_lives_beside_luke_ner(make_qa, checkpoints):
    nlp = make_qa(questions=[WHO])
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"]), "overlap": 8}})
    doc = nlp(TEXT[3:])
    assert [ent.text for ent in doc.ents] == ["山田花子", "東京都"]
    assert doc._.luke_answers[0].span.text == "山田花子"
    assert not nlp.analyze_pipes()["problems"]["luke_qa"]


def test_two_of_them(make_qa, answerers):
    nlp = make_qa(questions=[WHO])
    nlp.add_pipe(
        "luke_qa", name="where", config={"model": {"name": str(answerers["luke"]), "overlap": 8}, "questions": [WHERE]}
    )
    doc = nlp(TEXT)
    assert [a.question for a in doc._.luke_answers] == [WHO, WHERE]


@pytest.mark.parametrize("name", ["random_luke", "xlmr", "fast_xlmr", "bert", "slow_bert", "roberta", "deberta"])
def test_every_kind_of_checkpoint_runs_and_is_saved(make_qa, answerers, tmp_path, name):
    original = shutil.copytree(answerers[name], tmp_path / "original")
    nlp = make_qa(str(original), model={"precision": "float32", "overlap": 4})
    text = "山田花子は東京へ行った。大阪" * 8
    expected = ask(nlp, text, "東京？")
    assert expected.text and text[expected.char_start : expected.char_end] == expected.text
    nlp.to_disk(tmp_path / "saved")
    shutil.rmtree(original)
    again = ask(spacy.load(tmp_path / "saved"), text, "東京？")
    assert (again.text, again.char_start) == (expected.text, expected.char_start)
    assert again.score == pytest.approx(expected.score, rel=1e-4)
    copy = make_qa(model={"precision": "float32", "overlap": 4}).from_bytes(nlp.to_bytes())
    assert ask(copy, text, "東京？").char_start == expected.char_start


def test_what_is_saved_is_a_checkpoint_in_the_hugging_face_layout(make_qa, tmp_path):
    make_qa("random_luke").to_disk(tmp_path)
    config = json.loads((tmp_path / "luke_qa" / "model" / "config.json").read_text())
    assert config["architectures"] == ["XLMRobertaForQuestionAnswering"]
    import transformers

    model, report = transformers.AutoModelForQuestionAnswering.from_pretrained(
        tmp_path / "luke_qa" / "model", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]


@pytest.mark.parametrize("name", ["luke", "bare_luke"])
def test_a_checkpoint_that_cannot_answer(make_qa, checkpoints, name):
    with pytest.raises(
        ValueError, match="17 outputs; question answering needs 2|without a classifier for QuestionAnswer"
    ):
        ask(make_qa(str(checkpoints[name])), TEXT)


# Training

DATA = [
    ("山田花子は東京へ行った。", "誰が行きましたか。", [(0, 4)]),
    ("山田花子は東京へ行った。", "どこへ行きましたか。", [(5, 7)]),
    ("大阪の国会に日立製作所。", "どこの国会ですか。", [(0, 2)]),
    ("大阪の国会に日立製作所。", "会社はどれですか。", [(6, 11)]),
    ("訪日した独伊の首相。", "誰ですか。", [(7, 9)]),
    ("訪日した独伊の首相。", "山はどれですか。", []),
    ("カタカナのテキストです。", "何のテキストですか。", [(0, 4)]),
    ("ひらがなだけのぶんしょうもあります。" * 6 + "京都です。", "どこの都市ですか。", [(108, 110)]),
    ("京都と大阪は日本の都市である。", "二つの都市はどこの国ですか。", [(6, 8)]),
    ("国会はこれを可決した（12日）。", "いつですか。", [(11, 14)]),
]


def examples_for(nlp):
    return [make_qa_example(nlp.make_doc(text), question, answers) for text, question, answers in DATA]


@pytest.mark.parametrize("name, end_inclusive", [("bare_luke", True), ("bare_luke", False), ("luke", True)])
def test_ten_questions_are_learned_by_heart(make_qa, checkpoints, tmp_path, name, end_inclusive):
    fix_random_seed(0)
    nlp = make_qa(
        str(checkpoints[name]),
        model={"precision": "float32", "overlap": 8},
        end_inclusive=end_inclusive,
        null_threshold=0.5,
    )
    nlp.initialize(lambda: examples_for(nlp))
    optimizer = Adam(3e-3)
    first = nlp.update(examples_for(nlp), sgd=optimizer, losses={})["luke_qa"]
    for _ in range(150):
        last = nlp.update(examples_for(nlp), sgd=optimizer, losses={})["luke_qa"]
    assert last < first / 10
    scores = nlp.evaluate(examples_for(nlp))
    assert scores["qa_em"] == scores["qa_f"] == 1.0 and scores["qa_n"] == 10
    nlp.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")
    assert again.evaluate(examples_for(again))["qa_em"] == 1.0
    config = json.loads((tmp_path / "saved" / "luke_qa" / "model" / "config.json").read_text())
    assert config["architectures"] == ["XLMRobertaForQuestionAnswering"]


def test_training_goes_on_from_a_checkpoint_that_answers(make_qa, answerers):
    nlp = make_qa("luke", model={"precision": "float32"})
    nlp.initialize(lambda: examples_for(nlp))
    assert ask(nlp, TEXT).text == "山田花子"


def test_several_questions_in_one_example(make_qa):
    nlp = make_qa("random_luke", model={"precision": "float32"})
    nlp.get_pipe("luke_qa").load()
    doc = nlp.make_doc(DATA[0][0])
    reference = doc.copy()
    for _, question, answers in DATA[:2]:
        set_gold_answers(reference, question, answers)
    doc._.luke_questions = [question for _, question, _ in DATA[:2]]
    together = nlp.update([Example(doc, reference)], sgd=False, losses={})["luke_qa"]
    lean = make_paragraph_example(Vocab(), doc.text, [(question, answers) for _, question, answers in DATA[:2]])
    assert nlp.update([lean], sgd=False, losses={})["luke_qa"] == pytest.approx(together, rel=1e-6)
    singly = [nlp.update([example], sgd=False, losses={})["luke_qa"] for example in examples_for(nlp)[:2]]
    assert together == pytest.approx(sum(singly) / 2, rel=1e-4)
    assert nlp.evaluate([Example(doc, reference)])["qa_n"] == 2


def test_the_gradient_is_that_of_the_loss(make_qa):
    nlp = make_qa("random_luke", model={"precision": "float32"})
    qa = nlp.get_pipe("luke_qa")
    qa.load()
    examples = examples_for(nlp)
    outputs = qa.model.predict(qa._inputs(examples))
    loss, gradients = qa.get_loss(examples, outputs)
    for i, k, row, column in [(0, 0, 1, 0), (0, 0, 3, 1), (5, 0, 0, 0), (7, 1, 2, 1), (7, 0, 0, 1)]:
        shifted = [type(o)(o.asked, o.windows, [r.copy() for r in o.rows]) for o in outputs]
        shifted[i].rows[k][row, column] += 0.01
        more = qa.get_loss(examples, shifted)[0]
        assert (more - loss) / 0.01 == pytest.approx(gradients[i][k][row, column], abs=1e-3)


def test_examples_without_questions(make_qa, checkpoints):
    nlp = make_qa("random_luke")
    doc = nlp.make_doc(TEXT)
    nlp.initialize(lambda: [Example(doc, doc.copy())])  # it can answer already
    with pytest.raises(ValueError, match="none of the examples has one"):
        make_qa(str(checkpoints["bare_luke"])).initialize(lambda: [Example(doc, doc.copy())])
    assert nlp.update([Example(doc, doc.copy())], losses={})["luke_qa"] == 0.0


def test_gold_answers_that_are_not_there(make_qa):
    doc = make_qa().make_doc("短い")
    with pytest.raises(ValueError, match="the answer 0–9 is not within the 2 characters of the text"):
        set_gold_answers(doc, WHO, [(0, 9)])
    set_gold_answers(doc, WHO, [(0, 1)])
    set_gold_answers(doc, WHO, [(0, 2), (1, 2)])
    assert [a[:2] for a in get_gold_answers(doc)[0].answers] == [(0, 2), (1, 2)]
    assert doc._.luke_questions == (WHO,)


def test_nothing_is_said_that_need_not_be(make_qa):
    nlp = make_qa(questions=[WHO])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(TEXT)


def test_an_answer_that_no_window_holds_teaches_nothing(make_qa):
    nlp = make_qa("random_luke", model={"precision": "float32", "window": 10, "overlap": 4})
    qa = nlp.get_pipe("luke_qa")
    qa.load()
    examples = [make_qa_example(nlp.make_doc("あいう。" * 20), WHO, [(0, 60)]), examples_for(nlp)[0]]
    outputs = qa.model.predict(qa._inputs(examples))
    loss, gradients = qa.get_loss(examples, outputs)
    assert not any(window.any() for window in gradients[0]) and all(window.any() for window in gradients[1])
    assert loss == pytest.approx(qa.get_loss(examples[1:], outputs[1:])[0])


def test_a_span_is_that_of_the_tokens_as_they_are_now(make_qa):
    nlp = make_qa(alignment_mode="split")
    doc = Doc(nlp.vocab, words=["東京都民", "と", "山田花子さん"], spaces=[False] * 3)
    answer = nlp.get_pipe("luke_qa").ask(doc, WHO)
    assert answer.span.text == "山田花子"
    nlp.get_pipe("luke_qa").ask(doc, WHO, n_best=5)
    assert answer.span.text == answer.text == "山田花子"
    assert pickle.loads(pickle.dumps(answer)) == answer


def test_gold_is_no_prediction(make_qa):
    nlp = make_qa(questions=[WHO])
    doc = nlp.make_doc(TEXT)
    set_gold_answers(doc, WHERE, [(0, 2)])
    assert [(a.question, a.text) for a in nlp(doc)._.luke_answers] == [(WHO, "山田花子"), (WHERE, "山田花子")]
    assert [a.question for a in get_gold_answers(doc)] == [WHERE]


@pytest.mark.parametrize("questions", ["誰？", None, 5, [""], ["\u200b"], [None]])
def test_questions_that_cannot_be(make_qa, questions):
    doc = make_qa().make_doc(TEXT)
    with pytest.raises(ValueError, match="question"):
        doc._.luke_questions = questions


def test_questions_are_assigned(make_qa):
    doc = make_qa().make_doc(TEXT)
    doc._.luke_questions = (question for question in [WHO, WHERE])
    assert doc._.luke_questions == (WHO, WHERE)
    with pytest.raises(AttributeError):
        doc._.luke_questions.append(WHO)


def test_a_part_of_a_doc_has_no_answers(make_qa):
    doc = make_qa(questions=[WHO])(TEXT)
    assert doc[4:].as_doc(copy_user_data=True)._.luke_answers == []


def test_questions_that_were_not_asked_are_not_scored(make_qa):
    nlp = make_qa()
    reference = nlp.make_doc(TEXT)
    set_gold_answers(reference, WHO, [(3, 7)])
    with pytest.warns(UserWarning, match="1 questions with gold answers were not asked"):
        assert nlp.evaluate([Example(nlp.make_doc(TEXT), reference)])["qa_em"] is None


@pytest.mark.parametrize("question", [WHERE, "あ" * 40], ids=["short", "long"])
@pytest.mark.parametrize("n_pairs, n_chars", [(40, 10), (12, 400), (1, 3000), (3, 3000)])
def test_memory_is_bounded_by_subwords(make_qa, monkeypatch, question, n_pairs, n_chars):
    monkeypatch.setattr("spacy_luke_ja.pipeline.qa.SUBWORDS_AT_ONCE", 2000)
    nlp = make_qa()
    qa = nlp.get_pipe("luke_qa")
    qa.load()
    batches, windows = [], qa.model
    forward = windows._func

    def counted(model, texts, is_train):
        outputs, backprop = forward(model, texts, is_train)
        batches.append([sum(map(len, output.rows)) for output in outputs])
        return outputs, backprop

    windows._func = counted
    pairs = [(nlp.make_doc("あ" * (n_chars + i) + "東京"), question) for i in range(n_pairs)]
    assert [a.char_start for a in qa.ask_many(pairs)] == [n_chars + i for i in range(n_pairs)]
    assert all(sum(own) <= 2000 or len(own) == 1 for own in batches)
    assert sum(map(len, batches)) == n_pairs
    if n_chars == 10:
        assert len(batches) < n_pairs / 3  # and yet together


def test_an_encoder_without_types_is_told_none(make_qa, answerers, tmp_path):
    path = shutil.copytree(answerers["bert"], tmp_path / "bert")
    config = json.loads((path / "config.json").read_text())
    tensors = load_file(path / "model.safetensors")
    name = "bert.embeddings.token_type_embeddings.weight"
    save_file({**tensors, name: tensors[name][:1].clone()}, path / "model.safetensors", metadata={"format": "pt"})
    (path / "config.json").write_text(json.dumps({**config, "type_vocab_size": 1}))
    assert ask(make_qa(str(path), model={"overlap": 4}), TEXT).text in TEXT
