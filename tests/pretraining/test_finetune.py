"""A token classifier learned from Stockmark's train part, in many forms, and from teachers."""

import hashlib
import json
import random
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import toys
from scripts.pretraining import finetune
from scripts.pretraining.finetune import LABELS, Sentences, read_soft
from scripts.pretraining.tagger import make_batches
from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.corpora.stockmark import split_records
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags
from spacy_luke_ja.text.ner import find_entities

TINY = ("--epochs", 2, "--md5", "", "--n-subwords", 256, "--learn-rate", 1e-3)


def make_records(n):
    return [
        Record(item["text"], tuple(CharSpan(*e["span"], e["type"]) for e in item["entities"]), page=item["curid"])
        for item in toys.stockmark_items(n)
    ]


def found_in(sentences, tagged, text):
    """The entities that the tags themselves say, with their characters."""
    logits = np.eye(len(sentences.scheme.tags))[tagged.tags] * 10
    found = find_entities(sentences.encoder.encode(text), logits, sentences.scheme)
    return [(text[e.char_start : e.char_end], e.label) for e in found]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    path = tmp_path_factory.mktemp("sp") / "sp.model"
    path.write_bytes(toys.sentencepiece_model())
    return Sentences(path, make_scheme(make_tags(LABELS)))


def test_tags_of_a_sentence_as_it_is(sentences):
    text, spans = toys.EXAMPLES[0]
    tagged = sentences.tag(text, [CharSpan(*span) for span in spans])
    assert found_in(sentences, tagged, text) == [("山田花子", "人名"), ("東京", "地名")]


@pytest.mark.parametrize("seed", range(20))
def test_changed_sentences_keep_their_gold_entities(sentences, seed, monkeypatch):
    """Decoded again, the tags name known mentions of the labels that the sentence had before."""
    texts = []
    encode = sentences.encoder.encode
    monkeypatch.setattr(sentences.encoder, "encode", lambda text: texts.append(text) or encode(text))
    records = make_records(8)
    tagged = sentences.change(records, 1.0, 0.5, random.Random(seed))
    texts = texts.copy()
    assert len(tagged) == len(records) and texts != [record.text for record in records]
    known = {label: {r.text[s.char_start : s.char_end] for r in records for s in r.char_spans if s.label == label}
             for label in LABELS}  # fmt: skip
    for record, own, text in zip(records, tagged, texts):
        found = found_in(sentences, own, text)
        assert [label for _, label in found] == [span.label for span in record.char_spans]
        assert all(name in known[label] for name, label in found)


def test_no_share_changes_nothing(sentences):
    records = make_records(8)
    tagged = sentences.change(records, 0.0, 1.0, random.Random(0))
    for record, own in zip(records, tagged):
        np.testing.assert_array_equal(own.ids, sentences.encoder.encode(record.text).ids)


def test_a_long_sentence_is_cut_to_what_a_row_has_room_for(sentences):
    tagged = sentences.tag("東京" * 600, [CharSpan(0, 2, "地名")])
    assert len(tagged.ids) == len(tagged.tags) == 510


def test_soft_sentences(tmp_path):
    probabilities = np.arange(10, dtype="float16").reshape(5, 2)
    sp_path = tmp_path / "sentencepiece.bpe.model"
    sp_path.write_bytes(b"a vocabulary")
    vocabulary = hashlib.md5(b"a vocabulary").hexdigest()
    arrays = {"ids": np.arange(5), "probabilities": probabilities, "starts": [0, 2, 5], "tags": ["O", "X"]}
    np.savez(tmp_path / "soft.npz", vocabulary=vocabulary, **arrays)
    one, other = read_soft(tmp_path / "soft.npz", sp_path, ["O", "X"])
    with pytest.raises(ValueError, match="has the tags O, X, not O, Y: see --scheme"):
        read_soft(tmp_path / "soft.npz", sp_path, ["O", "Y"])
    sp_path.write_bytes(b"another")
    with pytest.raises(ValueError, match="has the subwords of another vocabulary"):
        read_soft(tmp_path / "soft.npz", sp_path, ["O", "X"])
    assert one.ids.tolist() == [0, 1] and other.tags.tolist() == [[4, 5], [6, 7], [8, 9]]


def test_the_stage_writes_a_classifier_and_says_how_good_it_is(work, ner_json, tmp_path, run_stage, capsys):
    run_stage("finetune", work / "start", ner_json, tmp_path, *TINY)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf8"))
    assert list(config["id2label"].values()) == list(make_tags(LABELS))
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "model.safetensors", "sentencepiece.bpe.model",
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "epoch 2 loss" in printed and "best F1" in printed


def test_a_classifier_that_finds_nothing_is_written_too(work, ner_json, tmp_path, run_stage, capsys):
    with mock.patch.object(finetune, "evaluate", lambda *args: np.zeros(3)):
        run_stage("finetune", work / "start", ner_json, tmp_path, *TINY, "--epochs", 1)
    assert "best F1 0.0000" in capsys.readouterr().out
    assert (tmp_path / "model.safetensors").exists()


def test_a_seed_gives_the_same_weights_again(work, ner_json, tmp_path, run_stage):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_stage("finetune", work / "start", ner_json, tmp_path / name, *TINY, "--seed", seed)
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_the_test_part_has_no_part_in_it(work, ner_json, tmp_path, run_stage):
    items = json.loads(ner_json.read_text(encoding="utf8"))
    records = [Record(str(i), (), page=item["curid"]) for i, item in enumerate(items)]
    test = {int(record.text) for record in split_records(records)["test"]}
    corrupt = [{**item, "text": "壊れた文。", "entities": []} if i in test else item for i, item in enumerate(items)]
    (tmp_path / "corrupt.json").write_text(json.dumps(corrupt, ensure_ascii=False), encoding="utf8")
    run_stage("finetune", work / "start", ner_json, tmp_path / "whole", *TINY)
    run_stage("finetune", work / "start", tmp_path / "corrupt.json", tmp_path / "corrupt", *TINY)
    whole, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "corrupt"))
    assert len(test) == 16 and all(torch.equal(whole[name], other[name]) for name in whole)


@pytest.mark.parametrize("settings, n_learned", [
    ((), 44),
    (("--n-train", 10), 10),
    (("--soft", "soft.npz"), 49),
    (("--soft", "soft.npz", "--soft-per-epoch", 3), 47),
])  # fmt: skip
def test_how_many_sentences_an_epoch_has(work, ner_json, tmp_path, run_stage, monkeypatch, settings, n_learned):
    starts = np.arange(0, 21, 4)
    vocabulary = hashlib.md5((work / "start" / "sentencepiece.bpe.model").read_bytes()).hexdigest()
    arrays = {"ids": np.full(20, 7), "probabilities": np.eye(17)[:1].repeat(20, 0), "starts": starts}
    np.savez(tmp_path / "soft.npz", tags=make_tags(LABELS), vocabulary=vocabulary, **arrays)
    batches = []
    monkeypatch.setattr(finetune, "make_batches", lambda *a: batches.append(a[0]) or make_batches(*a))
    settings = [tmp_path / s if s == "soft.npz" else s for s in settings]
    run_stage("finetune", work / "start", ner_json, tmp_path / "output", *TINY, *settings)
    assert [len(examples) for examples in batches] == [n_learned] * 2


def test_it_learns(work, ner_json, tmp_path, run_stage, capsys):
    run_stage("finetune", work / "start", ner_json, tmp_path, *TINY, "--epochs", 40, "--decay", 0.9,
              "--change-share", 0)  # fmt: skip
    assert float(capsys.readouterr().out.split()[-1]) > 0.8


def test_a_killed_run_goes_on_to_the_same_result(work, ner_json, tmp_path, run_stage, monkeypatch):
    run_stage("finetune", work / "start", ner_json, tmp_path / "whole", *TINY, "--epochs", 3)

    def save_and_die(self, *args):
        save(self, *args)
        if self.n_epochs == 2:
            raise KeyboardInterrupt

    save = finetune.Training.save
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(finetune.Training, "save", save_and_die)
        run_stage("finetune", work / "start", ner_json, tmp_path / "killed", *TINY, "--epochs", 3)
    run_stage("finetune", work / "start", ner_json, tmp_path / "killed", *TINY, "--epochs", 3)
    whole, killed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not (tmp_path / "killed" / "state.pt").exists()
