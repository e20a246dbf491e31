"""Joined sentences, batches, the loss, running averages, and logits for sentences of any length."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from scripts.pretraining.encoder import load_classifier, new_classifier
from scripts.pretraining.soft_labels import mean_probabilities
from scripts.pretraining.tagger import (
    Averages,
    Tagged,
    join,
    make_batches,
    predict,
    save_classifier,
    tag_loss,
)
from spacy_luke_ja.models.roberta import Classifier

CONFIG = {
    "model_type": "xlm-roberta", "type_vocab_size": 1, "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 514, "layer_norm_eps": 1e-5,
}  # fmt: skip
N_TAGS = 3


def make_tagger(seed=0):
    torch.manual_seed(seed)
    tagger = Classifier(CONFIG, N_TAGS)
    for parameter in tagger.parameters():
        torch.nn.init.normal_(parameter)
    return tagger.eval()


def sentence(n, *, soft=False, seed=0):
    rng = np.random.default_rng((seed, n))
    tags = rng.dirichlet([1.0] * N_TAGS, n).astype("float16") if soft else rng.integers(N_TAGS, size=n)
    return Tagged(rng.integers(4, 40, n), tags)


def test_sentences_are_joined_between_their_signs():
    ids, lengths = join([np.array([7, 8, 9]), np.array([7], dtype="uint16"), np.array([], dtype="int64")])
    assert ids.tolist() == [0, 7, 8, 9, 2, 0, 7, 2, 0, 2] and ids.dtype == torch.int64
    assert lengths == [5, 3, 2]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.integers(20, 200))
def test_batches_have_each_sentence_once_and_room_for_it(lengths, n_subwords):
    sentences = [sentence(n) for n in lengths]
    batches = make_batches(sentences, n_subwords, np.random.default_rng(0))
    assert Counter(id(s) for batch in batches for s in batch) == Counter(map(id, sentences))
    for batch in batches:
        assert [len(s.ids) for s in batch] == sorted(len(s.ids) for s in batch)
        assert len(batch) == 1 or len(batch) * (max(len(s.ids) for s in batch) + 2) <= n_subwords


def test_batches_differ_from_pass_to_pass():
    sentences, rng = [sentence(n) for n in range(1, 40)], np.random.default_rng(0)
    one, other = ([[id(s) for s in batch] for batch in make_batches(sentences, 100, rng)] for _ in range(2))
    assert one != other


@pytest.mark.parametrize("as_probabilities", [False, True])
def test_the_loss_of_gold_tags_is_their_cross_entropy(as_probabilities):
    batch = [sentence(5), sentence(3), sentence(1)]
    logits = torch.randn(7 + 5 + 3, N_TAGS, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([logits[1:6], logits[8:11], logits[13:14]])
    expected = torch.nn.functional.cross_entropy(rows, torch.from_numpy(np.concatenate([s.tags for s in batch])))
    if as_probabilities:
        batch = [Tagged(s.ids, np.eye(N_TAGS, dtype="float16")[s.tags]) for s in batch]
    torch.testing.assert_close(tag_loss(logits, batch), expected)


def test_the_loss_of_probabilities_is_their_cross_entropy():
    batch = [sentence(5, soft=True), sentence(3)]
    logits = torch.randn(7 + 5, N_TAGS, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([logits[1:6], logits[8:11]])
    targets = np.concatenate([batch[0].tags.astype("float32"), np.eye(N_TAGS, dtype="float32")[batch[1].tags]])
    expected = torch.nn.functional.cross_entropy(rows, torch.from_numpy(targets))
    torch.testing.assert_close(tag_loss(logits, batch), expected)


@pytest.mark.parametrize("decay, shares", [
    (0.998, [0.1, 2 / 11, 3 / 12]),  # of the mean before, in the updates 1, 2, 3
    (0.15, [0.1, 0.15, 0.15]),
])  # fmt: skip
def test_running_averages(decay, shares):
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(5.0)
    averages, mean = Averages(model, decay), 5.0
    for value, share in zip([2.0, -3.0, 7.0], shares):
        model.weight.data.fill_(value)
        averages.update(model)
        mean = share * mean + (1 - share) * value
        assert averages.model.weight.item() == pytest.approx(mean)
    assert not averages.model.training


def test_logits_come_in_the_order_of_the_sentences():
    tagger = make_tagger()
    ids = [sentence(n, seed=i).ids for i, n in enumerate([3, 40, 0, 7, 40, 1])]
    alone = [next(predict(tagger, [own])) for own in ids]
    for found, expected, own in zip(predict(tagger, ids, n_subwords=60), alone, ids, strict=True):
        assert found.shape == (len(own), N_TAGS)
        np.testing.assert_allclose(found, expected, atol=0.05)  # bfloat16


def test_what_stands_past_510_subwords_is_outside_for_certain():
    tagger, ids = make_tagger(), sentence(600).ids
    (logits,) = predict(tagger, [ids])
    (read,) = predict(tagger, [ids[:510]])
    assert logits.shape == (600, N_TAGS)
    np.testing.assert_array_equal(logits[:510], read)
    (probabilities,) = mean_probabilities([tagger], [ids])
    assert probabilities[510:].tolist() == [[1.0, 0.0, 0.0]] * 90


def test_the_mean_of_teachers():
    teachers = [make_tagger(0), make_tagger(1)]
    ids = [sentence(4).ids, sentence(6).ids]
    each = [[torch.softmax(torch.from_numpy(logits), -1).numpy() for logits in predict(t, ids)] for t in teachers]
    for found, one, other in zip(mean_probabilities(teachers, ids), *each):
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, (one + other) / 2, atol=1e-3)


def test_a_saved_classifier_loads_as_it_was(work, tmp_path):
    tagger = new_classifier(work / "start", N_TAGS)
    save_classifier(tagger, work / "start", tmp_path, ["O", "B-地名", "I-地名"])
    loaded = load_classifier(tmp_path)
    for name, tensor in tagger.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    assert "roberta.encoder.layer.0.output.dense.weight" in load_file(tmp_path / "model.safetensors")
