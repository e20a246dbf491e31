"""Layers of a shallow encoder in a deeper one."""

import sys

import numpy as np
import pytest
import torch

from scripts.pretraining.encoder import load_encoder
from scripts.pretraining.grow import grow, main
from scripts.pretraining.start import POSITION_DIMS, make_tensors

VECTORS = np.random.default_rng(0).normal(size=(10, 16)).astype("float32")


def test_each_layer_starts_as_the_old_one_that_was_named():
    old = make_tensors(VECTORS, 2, 16 + POSITION_DIMS, 8, 0)
    new = grow(old, (0, 1, 1))
    assert {name for name in new if "layer.2." in name} == {
        n.replace("layer.1.", "layer.2.") for n in old if "layer.1." in n
    }
    for name, tensor in new.items():
        assert torch.equal(tensor, old[name.replace("layer.2.", "layer.1.")])
    assert set(old) <= set(new)


def test_a_grown_checkpoint_loads(work, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["grow", str(work / "start"), str(tmp_path), "--layers", "0", "0"])
    main()
    old, new = load_encoder(work / "start"), load_encoder(tmp_path)
    assert (old.config.num_hidden_layers, new.config.num_hidden_layers) == (1, 2)
    for name, tensor in old.embeddings.state_dict().items():
        assert torch.equal(new.embeddings.state_dict()[name], tensor)


@pytest.mark.parametrize("layers", [[], [2], [-1, 0]])
def test_layers_that_are_not_there(layers):
    with pytest.raises(ValueError, match="--layers must name layers between 0 and 1, got"):
        grow(make_tensors(VECTORS, 2, 16 + POSITION_DIMS, 8, 0), layers)
