"""What runs on a GPU, on a CPU and small: rows and batches, masks, a wider encoder, questions, the whole run."""

import json
import random
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from scripts.gpu import rate, run, unpack
from scripts.gpu.arrays import BOS, EOS, NONE, PAD, Pair, flatten_pairs, load_array, save_array
from scripts.gpu.cloze import make_questions, name_spans
from scripts.gpu.growth import widen
from scripts.gpu.learner import Budget, Clock
from scripts.gpu.network import Encoder, Model
from scripts.gpu.pack_qa import make_pairs
from scripts.gpu.pretrain import mask_units
from scripts.gpu.rows import Rows, make_batches
from scripts.gpu.shards import read_shards, to_tensors, write_shards
from scripts.gpu.stream import Stream
from scripts.gpu.train_ner import bio_spans, predict_tags, train_tags
from scripts.gpu.train_qa import Pairs, exact_match, train_answers
from spacy_luke_ja.models import roberta
from spacy_luke_ja.text.subwords import Subwords

ROOT = Path(__file__).parents[2]
CONFIG = {
    "model_type": "xlm-roberta", "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 66, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 1,
}  # fmt: skip


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(CONFIG)


def test_it_computes_what_the_package_computes(encoder):
    ours = roberta.Encoder(CONFIG)
    ours.load_state_dict({name.removeprefix("roberta."): tensor for name, tensor in encoder.tensors().items()})
    ids = torch.tensor([[BOS, 5, 6, 7, EOS], [BOS, 8, EOS, PAD, PAD]])
    theirs = encoder(ids, ids != PAD)
    joined = ours(torch.cat([ids[0], ids[1, :3]]), [5, 3])
    assert torch.allclose(torch.cat([theirs[0], theirs[1, :3]]), joined, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_arrays_come_back(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, 200, 1000).astype(dtype)
    save_array(tmp_path / "a", array)
    assert (load_array(tmp_path, "a") == array).all()


def make_rows():
    ids = torch.arange(4, 24, dtype=torch.int32)
    tags = torch.tensor([1, 2, 0, 0, 1] * 4, dtype=torch.uint8)
    lengths = np.array([5, 3, 9, 3])
    return Rows(ids, np.cumsum(lengths) - lengths, lengths, tags, torch.full((20,), 255, dtype=torch.uint8))


def test_a_batch_has_its_rows_between_the_special_ids():
    batch = make_rows().take(np.array([1, 0]))
    assert batch.ids[0, :6].tolist() == [BOS, 9, 10, 11, EOS, PAD]
    assert batch.ids[1, :7].tolist() == [BOS, 4, 5, 6, 7, 8, EOS]
    assert batch.is_real.sum(1).tolist() == [5, 7]
    assert batch.tags[0, :6].tolist() == [NONE, 1, 2, 0, NONE, NONE]


def test_an_epoch_has_every_row_as_often_as_it_says():
    batches = list(make_batches({"a": make_rows()}, {"a": 8}, 16, np.random.default_rng(0)))
    read = sorted(int(ids[1]) for batch in batches for ids in batch.ids)
    assert read == sorted([4, 9, 12, 21] * 2)


def test_whole_units_are_masked():
    ids = torch.tensor([[BOS, 10, 11, 12, 13, EOS]] * 200)
    is_start = torch.tensor([[1, 1, 0, 1, 0, 1]] * 200) > 0
    read, words = mask_units(ids, is_start, share=0.5, mask_id=59, generator=torch.Generator().manual_seed(0))
    assert ((words[:, 1] >= 0) == (words[:, 2] >= 0)).all() and ((words[:, 3] >= 0) == (words[:, 4] >= 0)).all()
    assert (words[:, [0, 5]] < 0).all() and (read == ids)[words < 0].all()
    assert 0.4 < (words[:, 1:5] >= 0).float().mean() < 0.6


def test_a_wider_encoder_begins_near_the_old_one(encoder):
    ids = torch.randint(4, 60, (4, 30), generator=torch.Generator().manual_seed(0))
    old = encoder(ids)
    new = widen(encoder, width=24, n_heads=3, inner=48, layers=(0, 1))(ids)
    deeper = widen(encoder, width=24, n_heads=3, inner=48, layers=(0, 0, 1, 1))(ids)
    for own, least in ((new, 0.9), (deeper, 0.5)):
        assert torch.nn.functional.cosine_similarity(old, own[..., :16], dim=-1).mean() > least


@pytest.mark.parametrize("bits, tolerance", [(8, 1e-2), (16, 1e-3)])
def test_shards_come_back(encoder, tmp_path, bits, tolerance):
    write_shards(tmp_path, "x", encoder.tensors(), CONFIG, bits=bits)
    again = to_tensors(read_shards(tmp_path, "x"))
    assert all(torch.allclose(again[name], tensor, atol=tolerance) for name, tensor in encoder.tensors().items())


def test_documents_are_a_stream_and_cut_into_whole_sentences(tmp_path):
    ids = np.array([5, 6, 9, 7, 8, 9, 5, 9], dtype="uint16")  # 9 is a full stop
    save_array(tmp_path / "c-ids", ids)
    save_array(tmp_path / "c-lengths", np.array([6, 2], dtype="uint32"))
    save_array(tmp_path / "c-is_start", np.packbits(ids != 6))
    stream = Stream(tmp_path, "c", ("is_start",), "cpu")
    assert stream.ids.tolist() == [5, 6, 9, 7, 8, 9, EOS, 5, 9, EOS]
    assert stream.targets["is_start"].tolist() == [1, 0, 1, 1, 1, 1, NONE, 1, 1, NONE]
    windows = stream.sentence_windows([9], (4,), np.random.default_rng(0))
    assert [stream.ids[a : a + n].tolist() for a, n in zip(windows.starts, windows.lengths)] == [[5, 6, 9], [7, 8, 9]]


@pytest.mark.parametrize("tags, spans", [([], set()), ([1, 2, 2], {(0, 3, 1)}), ([1, 4, 3], {(0, 1, 1), (2, 3, 3)}), ([2, 0], set())])  # fmt: skip
def test_spans_of_tags(tags, spans):
    assert bio_spans(tags) == spans


@pytest.mark.parametrize("n_steps, share", [(0, 1e-3), (5, 0.5 + 1e-3), (10, 1.0), (50, 1.0), (75, 0.5), (100, 0.0)])
def test_the_learning_rate_follows_the_steps(n_steps, share):
    clock = Clock(Budget(n_steps=100), warmup=0.1, decay=0.5)
    clock.n_steps = n_steps
    assert clock.learn_rate_share() == pytest.approx(share)


def test_seconds_are_a_budget_too():
    with mock.patch("time.time", side_effect=[100.0, 103.0]):
        assert Clock(Budget(seconds=4.0), warmup=0.1, decay=0.5).share == 0.75


def test_a_classifier_learns(encoder):
    model = Model(encoder, tags=3)
    rows = make_rows()
    train_tags(
        model, {"a": rows}, {"a": 8}, Budget(n_steps=150), learn_rate=3e-3, n_subwords=64, dropout=0.0, averages=0.5
    )
    assert predict_tags(model, rows).f1 > 0.9


def test_a_classifier_learns_from_another_alone():
    """Rows without tags have what the teacher finds."""
    teacher, pupil = (Model(Encoder(CONFIG), tags=3) for _ in range(2))
    rows = make_rows()
    train_tags(
        teacher, {"a": rows}, {"a": 8}, Budget(n_steps=150), learn_rate=3e-3, n_subwords=64, dropout=0.0, averages=0.5
    )
    bare = {"a": Rows(rows.ids, rows.starts, rows.lengths)}
    train_tags(
        pupil,
        bare,
        {"a": 8},
        Budget(n_steps=150),
        learn_rate=3e-3,
        n_subwords=64,
        teacher=teacher,
        dropout=0.0,
        averages=0.5,
    )
    assert predict_tags(pupil, rows).f1 > 0.9


def test_names_are_asked_for_from_another_place_of_their_document():
    names = ["O", "B-person", "I-person"]
    facts = {"labels": {"names": names}, "full_stops": [9], "blank": 50, "words": {"誰": [50, 51], "どこ": [52], "何": [53], "か？": [54]}}  # fmt: skip
    sentence = [20, 21, *range(30, 40), 9]  # the name is 20 21
    ids = np.array([*sentence, *range(22, 30), *sentence * 12], dtype="uint16")
    tags = np.array([1 if a == 20 else 2 if a == 21 else 0 for a in ids], dtype="uint8")
    assert name_spans(tags, names)[0] == (0, 2, "person")
    questions = [q for seed in range(5) for q in make_questions(ids, tags, facts, random.Random(seed), 1.0)]
    assert questions
    for question in questions:
        assert question.ids[question.start : question.end + 1].tolist() == [20, 21]
        asked = question.ids[1 : question.first - 2].tolist()
        assert 51 in asked and asked[-1] == 54 and 20 not in asked and question.start >= question.first


def test_answers_are_learned(encoder):
    text = [20, 21, 22, 23, EOS]
    asked = [Pair(np.array([BOS, 10, EOS, EOS, *text]), 4, 5, 6), Pair(np.array([BOS, 11, EOS, EOS, *text]), 4, 7, 7)]
    pairs = Pairs(flatten_pairs(asked), "cpu")
    model = Model(encoder, answers=2)
    train_answers(model, pairs, Budget(n_steps=150), learn_rate=3e-3, n_subwords=32, dropout=0.0, averages=0.5)
    assert exact_match(model, pairs) == 1.0


def test_a_long_paragraph_has_windows_and_the_answer_where_it_is_whole():
    ids = np.arange(4, 904)
    text = Subwords("あ" * 900, ids, np.stack([np.arange(900), np.arange(1, 901)], axis=1))
    pairs = list(make_pairs(np.array([5, 6]), text, (390, 400)))
    assert all(len(pair.ids) <= 512 and pair.first == 5 for pair in pairs)
    assert {i for pair in pairs for i in pair.ids[pair.first : -1]} == set(ids)
    found = [pair.ids[pair.start : pair.end + 1].tolist() for pair in pairs if pair.start]
    assert found and all(answer == ids[390:400].tolist() for answer in found)


def test_the_network_is_that_of_transformers():
    network = rate.load_network(ROOT / "spacy_luke_ja" / "models" / "roberta.py")
    with mock.patch.dict(rate.SIZES, {"xs": (16, 2, 2, 32)}):
        ours, theirs = rate.make_models(network, "xs", "cpu")
    with torch.no_grad():
        difference, greatest = rate.compare_logits(ours, theirs, torch.arange(4, 14), [3, 7])
    assert difference < 1e-5 < greatest


def write_inputs(path):
    """What pack.py writes, of a language of 60 ids: every document has two names, 20 21 and 22 23, in many places."""
    rng = np.random.default_rng(0)
    write_shards(
        path,
        "start",
        Encoder({**CONFIG, "max_position_embeddings": 514}).tensors(),
        {**CONFIG, "max_position_embeddings": 514},
        bits=8,
    )
    labels = {"names": ["O", "B-person", "I-person"], "wac": ["O", "B-X", "I-X"], "gsd": ["O", "B-Y", "I-Y"]}
    words = {"誰": [50, 51], "どこ": [52], "何": [53], "か？": [54]}
    facts = {"labels": labels, "tags": ["O", "B-人名", "I-人名"], "full_stops": [9], "blank": 50, "words": words}
    (path / "facts.json").write_text(json.dumps(facts), encoding="utf8")
    sentences = [[*name, *rng.integers(24, 50, 10), 9] for name in [(20, 21), (22, 23)] * 24]
    document = np.array([i for sentence in sentences for i in sentence])
    ids = np.tile(document, 3).astype("uint16")
    tags = np.select([np.isin(ids, [20, 22]), np.isin(ids, [21, 23])], [1, 2], 0).astype("uint8")
    for name, part in {"corpus": "names", "wac": "tags", "gsd": "tags"}.items():
        save_array(path / f"{name}-ids", ids)
        save_array(path / f"{name}-{part}", tags)
        save_array(path / f"{name}-lengths", np.full(3, len(document), "uint32"))
    save_array(path / "corpus-is_start", np.packbits(tags != 2))
    for name in ("stockmark", "other", "soft", "slots", "empty", "poor", "dev", "everyday"):
        save_array(path / f"{name}-ids", ids[:130])
        save_array(path / f"{name}-tags", tags[:130])
        save_array(path / f"{name}-weights", np.full(130, 255, "uint8"))
        save_array(path / f"{name}-lengths", np.full(10, 13, "uint16"))
    for name in ("qa", "qa-heldout"):
        pair = np.array([BOS, 53, 54, EOS, EOS, *document[:13], EOS], dtype="uint16")
        for part, array in {
            "ids": np.tile(pair, 5),
            "lengths": [len(pair)] * 5,
            "first": [5] * 5,
            "start": [5] * 5,
            "end": [6] * 5,
        }.items():
            save_array(path / f"{name}-{part}", np.asarray(array, dtype="uint16"))


def call(module, *args):
    with mock.patch.object(sys, "argv", ["x", *map(str, args)]):
        module.main()


def test_the_whole_run_leaves_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    inputs, output = tmp_path / "in", tmp_path / "out"
    write_inputs(inputs)
    few = {name: dict.fromkeys(counts, 10) for name, counts in run.ABLATIONS.items()}
    monkeypatch.setattr(run, "ABLATIONS", few)
    call(run, inputs, output, "--tiny", "--seconds", 0.5)
    assert len(np.load(output / "logits.npz")["md tags dev"]) == 130
    for name, head in {"md-encoder": None, "md-tags": "classifier", "sm-answers": "qa_outputs"}.items():
        (tmp_path / "sentencepiece.bpe.model").write_bytes(b"")
        call(unpack, output, name, tmp_path / name, "--vocabulary", tmp_path, "--facts", inputs / "facts.json")
        tensors = load_file(tmp_path / name / "model.safetensors")
        assert (f"{head}.weight" in tensors) == bool(head)
        config = json.loads((tmp_path / name / "config.json").read_text(encoding="utf8"))
        assert tensors["roberta.embeddings.word_embeddings.weight"].shape == (60, config["hidden_size"])
    assert config["architectures"] == ["XLMRobertaForQuestionAnswering"]


def test_a_run_goes_on_from_classifiers(tmp_path, monkeypatch, capsys):
    """Small and large begin as they are, with their last layers; the large one, left out, teaches as it is."""
    monkeypatch.chdir(ROOT)
    inputs, output = tmp_path / "in", tmp_path / "out"
    write_inputs(inputs)
    config = {**CONFIG, "max_position_embeddings": 514}
    layer = {"classifier.weight": torch.randn(3, 16), "classifier.bias": torch.randn(3)}
    for name in ("start", "start-md"):
        write_shards(inputs, name, {**Encoder(config).tensors(), **layer}, config, bits=8)
    begun = {}
    monkeypatch.setattr(
        run, "train_tags", lambda model, *args, teacher, **settings: begun.update(model=model, teacher=teacher)
    )
    call(run, inputs, output, "--tiny", "--seconds", 0.5, "--shares", '{"sm tags": 1}')
    for model in begun.values():
        for kind in ("weight", "bias"):
            assert torch.allclose(getattr(model.heads["tags"], kind), layer[f"classifier.{kind}"], atol=2e-2)
    assert {path.name for path in output.iterdir()} == {"sm-tags.npz.0", "logits.npz"}
    with pytest.raises(SystemExit):
        call(run, inputs, output, "--shares", '{"md tag": 1}')
    assert "no stage md tag; the stages are md encoder" in capsys.readouterr().err
