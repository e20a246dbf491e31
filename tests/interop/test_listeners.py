"""Components that take the vectors of a tok2vec or transformer before luke_ner, which splits tokens in between."""

import copy
import pickle

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

import spacy_luke_ja

TEXTS = ["山田花子は東京へ行った。", "訪日した独伊の首相。", "大阪の国会に日立製作所。", "訪日と訪米と訪日。", "", "日"]
TOK2VEC = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
TRANSFORMER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "upstream": "*",
    "pooling": {"@layers": "reduce_mean.v1"},
}
NER = {
    "@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner", "extra_state_tokens": False,
    "hidden_width": 32, "maxout_pieces": 2, "use_upper": True,
}  # fmt: skip
ENCODERS = ["tok2vec", "transformer"]


@pytest.fixture
def make_pipeline(checkpoints):
    def make(encoder):
        fix_random_seed(0)
        nlp = spacy_luke_ja.blank()
        listener = TOK2VEC
        if encoder == "transformer":
            pytest.importorskip("spacy_transformers", reason="needs the extra spacy-transformers")
            listener = TRANSFORMER
            shared = {
                "@architectures": "spacy-luke-ja.SharedEncoder.v1", "name": str(checkpoints["random_luke"]),
                "revision": None, "window": None, "overlap": 16, "max_batch_subwords": 300, "precision": "float32",
                "training_precision": "float32", "frozen_layers": 0, "freeze_embeddings": False,
            }  # fmt: skip
            nlp.add_pipe("transformer", config={"model": shared})
        else:
            nlp.add_pipe("tok2vec")
        nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"]), "overlap": 16}})
        nlp.add_pipe(
            "tagger",
            config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}, "overwrite": True},
        )
        nlp.add_pipe("ner", config={"model": {**NER, "tok2vec": listener}})
        with nlp.select_pipes(disable="luke_ner"):
            nlp.initialize(lambda: examples_for(nlp))
        return nlp

    return make


def examples_for(nlp):
    """A token's tag is its length."""
    examples = []
    for text in TEXTS:
        doc = nlp.make_doc(text)
        words = [token.text for token in doc]
        reference = Doc(
            nlp.vocab,
            words=words,
            spaces=[False] * len(words),
            tags=[f"T{len(word)}" for word in words],
            ents=["B-X" if word == "は" else "O" for word in words],
        )
        examples.append(Example(doc, reference))
    return examples


def said(doc):
    return [(t.text, t.tag_, t.ent_type_, t.ent_iob_) for t in doc]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_stream_gives_what_texts_give_one_by_one(make_pipeline, encoder):
    nlp = make_pipeline(encoder)
    singly = [nlp(text) for text in TEXTS]
    for doc, own in zip(nlp.pipe(TEXTS), singly):
        assert said(doc) == said(own)
        if encoder == "tok2vec":
            assert len(doc.tensor) == len(doc) and np.allclose(doc.tensor, own.tensor, atol=1e-4)
        else:
            assert len(doc._.trf_data.align.lengths) == len(doc)
    assert [t.text for t in singly[1]][:4] == ["訪", "日", "し", "た"]


def test_a_part_has_the_vector_of_its_token(make_pipeline):
    nlp = make_pipeline("tok2vec")
    with nlp.select_pipes(disable=["luke_ner", "tagger", "ner"]):
        whole = nlp(TEXTS[1])
    assert whole[0].text == "訪日"
    split = nlp(TEXTS[1])
    assert np.allclose(split.tensor[:4], whole.tensor[[0, 0, 1, 2]], atol=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("n", [1, 2, len(TEXTS)])
def test_learning_from_tokens_that_luke_ner_split(make_pipeline, encoder, n):
    nlp = make_pipeline(encoder)
    optimizer = nlp.resume_training()
    losses = []
    for _ in range(15):
        batch = examples_for(nlp)[1 : 1 + n]
        losses.append(nlp.update(batch, sgd=optimizer, losses={}, annotates=["luke_ner"], exclude=["luke_ner"]))
    assert losses[-1]["ner"] < losses[0]["ner"] and losses[-1]["tagger"] < losses[0]["tagger"]
    assert all(np.isfinite(loss) for loss in losses[-1].values())


def test_learning_without_splits_is_as_ever(make_pipeline):
    """ner begins with the entities that are there; to a tagger, luke_ner in between changes nothing here."""
    with_it, without = make_pipeline("tok2vec"), make_pipeline("tok2vec")
    batches = [examples_for(nlp)[:1] for nlp in (with_it, without)]
    for _ in range(3):
        a = with_it.update(batches[0], sgd=False, losses={}, annotates=["luke_ner"], exclude=["luke_ner"])
        b = without.update(batches[1], sgd=False, losses={}, exclude=["luke_ner"])
        assert a["tagger"] == pytest.approx(b["tagger"], rel=1e-5)


def test_listeners_are_no_part_of_the_component(make_pipeline):
    nlp = make_pipeline("tok2vec")
    nlp.update(examples_for(nlp), sgd=False, losses={}, annotates=["luke_ner"], exclude=["luke_ner"])
    component = nlp.get_pipe("luke_ner")
    for same in (pickle.loads(pickle.dumps(component)), copy.deepcopy(component)):
        assert [span[:3] for span in same.predict([nlp.make_doc("東京都")])[0]] == [(0, 3, "地名")]
    assert [doc.text for doc in nlp.pipe(TEXTS * 3)] == TEXTS * 3  # a stream that is no batch to learn from
