"""An encoder without its classifier: loaded late, saved with its tokenizer, in the precision it had."""

import shutil
import sys

import numpy as np
import pytest
import torch

from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, open_checkpoint
from spacy_luke_ja.models.hf_encoder import EncoderShim
from spacy_luke_ja.models.hf_loader import build_encoder, build_module
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.shared_encoder import SharedEncoder
from spacy_luke_ja.models.types import WindowBatch

BATCH = WindowBatch(np.array([0, 5, 6, 2, 0, 7, 2]), np.array([4, 3]), pad_id=1)


def shim_for(path, **settings):
    return EncoderShim(ModelSettings(str(path), **{"precision": "float32", **settings}))


@pytest.mark.parametrize("name", ["random_luke", "luke_bin", "bare_luke", "xlmr", "bert", "roberta", "deberta"])
def test_the_encoder_is_the_one_of_the_classifier(checkpoints, name):
    checkpoint = open_checkpoint(str(checkpoints[name]))
    encoder = build_encoder(checkpoint)
    whole = build_module(checkpoint, new_head=True).base_model.state_dict()
    assert whole.keys() == encoder.state_dict().keys()
    assert all(tensor.equal(whole[key]) for key, tensor in encoder.state_dict().items())
    assert not any("classifier" in key or "pooler" in key for key in whole)


@pytest.mark.parametrize("name", ["random_luke", "fast_xlmr", "bert", "slow_bert", "deberta"])
def test_bytes_hold_all_that_it_needs(checkpoints, tmp_path, name):
    path = shutil.copytree(checkpoints[name], tmp_path / "gone")
    shim = shim_for(path)
    bytes_data = shim.to_bytes()  # loads it
    shutil.rmtree(path)
    again = shim_for("./nowhere").from_bytes(bytes_data)
    assert np.array_equal(again.infer(BATCH), shim.infer(BATCH))
    assert again.tokenizer.encode("東京ﾄﾞｰﾑ").ids.tolist() == shim.tokenizer.encode("東京ﾄﾞｰﾑ").ids.tolist()
    assert again.to_bytes() == bytes_data


def test_weights_that_were_not_trained_are_saved_as_they_were_stored():
    shim = shim_for(EMBEDDED / "ja_luke_ner_sm", precision="bfloat16")
    shim.load_once()
    assert shim.precision_in_use == "bfloat16"
    stored = {tensor.dtype for tensor in shim.tensors().values()}
    assert stored == {torch.float16}
    shim.train_all([BATCH], dropout_rate=0.0)
    assert {tensor.dtype for tensor in shim.tensors().values()} == {torch.float32}


def test_a_window_that_is_too_long_is_refused(checkpoints):
    shim = EncoderShim(ModelSettings(str(checkpoints["random_luke"]), window=63))
    with pytest.raises(ValueError, match="window must be at most 62 for the checkpoint .* 64 subwords, 2 of them"):
        shim.load_once()


@pytest.mark.parametrize(
    "name, expected",
    [
        ("random_luke", ["<s>", "▁", "東京", "<unk>", "</s>"]),
        ("fast_xlmr", ["<s>", "▁", "東京", "<unk>", "</s>"]),
        ("slow_bert", ["[CLS]", "東京", "[UNK]", "[SEP]"]),
    ],
)
def test_pieces_have_their_names(checkpoints, name, expected):
    shim = shim_for(checkpoints[name])
    shim.load_once()
    ids = [*shim.tokenizer.prefix_ids, *shim.tokenizer.encode("東京🦖").ids.tolist(), *shim.tokenizer.suffix_ids]
    assert shim.tokenizer.piece_names(ids) == expected


def test_without_spacy_transformers_the_command_is_named(monkeypatch):
    for name in ("spacy_transformers", "spacy_transformers.data_classes"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match='run: pip install "spacy-transformers>=1.3.5'):
        SharedEncoder(
            name="ja_luke_ner_sm", revision=None, window=None, overlap=64, max_batch_subwords=4096, precision="auto",
            training_precision="float32", frozen_layers=0, freeze_embeddings=False,
        )  # fmt: skip
