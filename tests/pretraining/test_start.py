"""A checkpoint that knows words and places before it is trained."""

import numpy as np
import pytest
import torch

from scripts.pretraining.encoder import load_encoder
from scripts.pretraining.start import HEAD_SHIFTS, POSITION_DIMS, local_attention, make_tensors, sinusoids


@pytest.mark.parametrize("shift", HEAD_SHIFTS)
def test_a_local_head_looks_most_at_its_place(shift):
    states = torch.cat([torch.randn(514, 16), sinusoids()], dim=1)
    weights = local_attention(16 + POSITION_DIMS, 32, shift)
    scores = (states @ weights["query"].T) @ (states @ weights["key"].T).T
    positions = torch.arange(10, 500)
    assert scores[positions].argmax(dim=1).tolist() == (positions + shift).tolist()


def test_the_vector_of_a_piece_stands_in_the_row_after_its_id():
    vectors = np.random.default_rng(0).normal(size=(10, 16)).astype("float32")
    words = make_tensors(vectors, 1, 16 + POSITION_DIMS, 8, 0)["roberta.embeddings.word_embeddings.weight"]
    assert words.shape == (12, 80)
    own, rows = vectors[3:] - vectors.mean(axis=0), words[4:11, :16].numpy()
    np.testing.assert_allclose(rows / rows.std(), own / own.std(), rtol=0.05, atol=0.05)
    assert not words[1].any() and not words[:, 16:].any()


def test_the_checkpoint_loads(work):
    assert load_encoder(work / "start").config.vocab_size == 202
