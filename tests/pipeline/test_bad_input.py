"""A clear error or a sensible result for each kind of bad input, and nothing lost."""

import json
import shutil
import warnings

import pytest
import spacy
from spacy.tokens import Doc, Span

import spacy_luke_ja


@pytest.mark.parametrize("text", ["", " ", "　", "\n\n", "\t \r\n", "あ", "𠮷", "\x00", "。", "\u3099", "\ufeff", "😊"])
@pytest.mark.parametrize("checkpoint", ["luke", "xlmr", "fast_xlmr", "bert", "slow_bert", "random_luke"])
def test_small_texts(make_nlp, checkpoint, text):
    doc = make_nlp(checkpoint)(text)
    assert doc.text == text
    assert all(ent.text.strip() for ent in doc.ents)


def test_what_is_not_a_string(make_nlp):
    nlp = make_nlp()
    for value in (None, 3, b"bytes", ["東京"]):
        with pytest.raises((TypeError, ValueError)):
            nlp(value)


def test_lone_surrogates(make_nlp):
    with pytest.warns(UserWarning, match="lone surrogate"):
        doc = make_nlp()("東京\ud83dと大阪\udc00")
    assert [(ent.text, ent.start_char) for ent in doc.ents] == [("東京", 0), ("大阪", 4)]


@pytest.mark.slow
def test_a_million_times_one_character(make_nlp):
    nlp = make_nlp("luke", model={"max_batch_subwords": 16384})
    doc = nlp("あ" * 999_998 + "東京")
    assert len(doc.text) == 1_000_000
    assert [(ent.text, ent.start_char) for ent in doc.ents] == [("東京", 999_998)]


def test_a_doc_without_sudachi(make_nlp):
    nlp = make_nlp()
    words = ["山田花", "子は", "東京都へ", "行く"]
    doc = nlp(Doc(nlp.vocab, words=words, spaces=[False, True, False, False]))
    assert doc.text == "山田花子は 東京都へ行く"
    assert [ent.text for ent in doc.ents] == ["山田花子", "東京都"]
    assert [token.text for token in doc] == ["山田花", "子", "は", "東京都", "へ", "行く"]


def test_an_empty_doc(make_nlp):
    nlp = make_nlp()
    doc = nlp(Doc(nlp.vocab))
    assert not doc.ents and doc._.luke_entities == []


def test_an_english_pipeline(checkpoints):
    nlp = spacy.blank("en")
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"]), "overlap": 8}})
    assert [ent.text for ent in nlp("I went to 東京 and 大阪.").ents] == ["東京", "大阪"]


def test_a_doc_with_a_parse_and_sentences(make_nlp):
    nlp = make_nlp()
    doc = Doc(nlp.vocab, words=["訪日", "し", "た"], spaces=[False] * 3, heads=[0, 0, 0], deps=["ROOT", "aux", "aux"],
              lemmas=["訪日", "する", "た"], pos=["NOUN", "VERB", "AUX"], tags=["a", "b", "c"])  # fmt: skip
    doc = nlp(doc)
    assert [(t.text, t.dep_, t.head.text, t.pos_) for t in doc] == [
        ("訪", "compound", "日", "NOUN"), ("日", "ROOT", "日", "NOUN"), ("し", "aux", "日", "VERB"), ("た", "aux", "日", "AUX"),
    ]  # fmt: skip
    assert len(list(doc.sents)) == 1


def test_blocked_and_existing_entities(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc("東京と大阪")
    doc.set_ents([Span(doc, 0, 1, "OLD")], blocked=[doc[2:3]], default="missing")
    doc = nlp(doc)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("東京", "OLD")]
    assert doc._.luke_alignment["filtered"] == 2 and doc[2].ent_iob_ == "B" and doc[2].ent_type_ == ""


def test_blocked_tokens_stay_blocked_when_tokens_split(make_nlp):
    nlp = make_nlp()
    doc = nlp.make_doc("訪日した東京")
    doc.set_ents([], blocked=[doc[len(doc) - 1 :]], default="missing")
    assert [(ent.text, ent.label_) for ent in nlp(doc).ents] == [("日", "地名")]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"alignment_mode": "outside"}, "alignment_mode must be one of strict, contract, expand, split, got outside"),
        ({"scheme": "BIOSE"}, "scheme must be one of IO, BIO, BIOES, BILOU, got BIOSE"),
        ({"model": {"overlap": -1}}, "got -1"),
        ({"threshold": {"人名": "high"}}, "threshold"),
        ({"threshold": 2.0}, "threshold must be between 0 and 1, got 2.0"),
        ({"threshold": {"人名": -1.0}}, "threshold must be between 0 and 1, got -1.0"),
        ({"model": {"precision": "int3"}}, "precision must be one of auto, float32, bfloat16, float16, got int3"),
        ({"model": {"window": 0}}, "window must be at least 1"),
        ({"model": {"max_batch_subwords": 0}}, "max_batch_subwords must be at least 1"),
        ({"temperature": 0.0}, "temperature must be a finite number above 0, got 0.0"),
        ({"temperature": "warm"}, "temperature"),
        ({"cut_cost": -1.0}, "cut_cost must be a finite number, 0 or more, got -1.0"),
        ({"treshold": 0.5}, "treshold"),
        ({"model": {"windows": 8}}, "windows"),
        ({"threshold": "high"}, "threshold"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        spacy_luke_ja.blank().add_pipe("luke_ner", config=settings)


@pytest.mark.parametrize(
    "model, message",
    [
        ({"window": 100, "overlap": 8}, "window must be at most 62 for the checkpoint"),
        ({"overlap": 62}, r"overlap must be between 0 and window - 1 \(61\), got 62"),
        ({"name": "./nowhere"}, "there is no directory ./nowhere"),
        ({"name": "someone/unheard-of"}, "hub cannot be reached"),
    ],
)
def test_settings_that_do_not_fit_the_checkpoint(make_nlp, model, message):
    with pytest.raises((OSError, ValueError), match=message):
        make_nlp("luke", model=model)("東京")


def test_a_checkpoint_that_cannot_be_loaded_does_not_end_a_stream_that_has_a_handler(make_nlp):
    nlp = make_nlp("./nowhere")
    failed = []
    nlp.set_error_handler(lambda name, proc, docs, error: failed.extend(doc.text for doc in docs))
    assert list(nlp.pipe(["東京", "大阪"])) == []
    assert failed == ["東京", "大阪"]


def test_logits_that_are_not_finite_are_named(make_nlp):
    import torch

    nlp = make_nlp(model={"precision": "float32"})
    nlp("東京")
    with torch.no_grad():
        nlp.get_pipe("luke_ner")._shim.module.classifier.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="logits that are not finite"):
        nlp("東京")


def test_no_warnings_for_good_input(make_nlp):
    nlp = make_nlp()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        list(nlp.pipe(["東京都", "訪日した", "", "大阪"]))


@pytest.mark.parametrize("kind", ["SequenceClassification", "EntityClassification", "QuestionAnswering"])
def test_a_checkpoint_of_another_task_is_refused_by_name(make_nlp, checkpoints, tmp_path, kind):
    """Also one whose labels and layers would do."""
    shutil.copytree(checkpoints["luke"], tmp_path / "other")
    path = tmp_path / "other" / "config.json"
    config = json.loads(path.read_text(encoding="utf8"))
    path.write_text(json.dumps({**config, "architectures": [f"LukeFor{kind}"]}), encoding="utf8")
    with pytest.raises(ValueError, match=f"is a model for {kind} .*TokenClassification is needed; nlp.initialize"):
        make_nlp(str(tmp_path / "other"))("東京")
