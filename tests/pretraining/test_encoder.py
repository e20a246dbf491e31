"""The fast encoder computes what transformers' XLM-RoBERTa computes."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

import toys
from scripts.pretraining.encoder import load_encoder

LENGTHS = [20, 13, 2, 1]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random XLMRobertaModel with a classifier, saved, and the model."""
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=34, type_vocab_size=1, layer_norm_eps=1e-5, num_labels=5,
    )  # fmt: skip
    model = transformers.XLMRobertaForTokenClassification(config).eval()
    toys.spread_out(model, std=0.3)
    path = tmp_path_factory.mktemp("checkpoint")
    (path / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf8")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path / "model.safetensors")
    return path, model.roberta


def padded_rows():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, 60, (len(LENGTHS), max(LENGTHS)), generator=generator)
    is_padding = torch.arange(ids.shape[1]) >= torch.tensor(LENGTHS)[:, None]
    return ids.masked_fill(is_padding, 1), ~is_padding


def test_rows_of_equal_length(checkpoint):
    path, model = checkpoint
    ids = torch.randint(4, 60, (3, 20), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        torch.testing.assert_close(load_encoder(path).eval()(ids), expected, atol=1e-5, rtol=1e-5)


def test_padded_rows(checkpoint):
    path, model = checkpoint
    ids, is_subword = padded_rows()
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=is_subword.long()).last_hidden_state
        found = load_encoder(path).eval()(ids, torch.tensor(LENGTHS))
    torch.testing.assert_close(found[is_subword], expected[is_subword], atol=1e-5, rtol=1e-5)


def test_gradients(checkpoint):
    path, model = checkpoint
    ids, is_subword = padded_rows()
    encoder = load_encoder(path).eval()
    weights = torch.randn(int(is_subword.sum()), 32, generator=torch.Generator().manual_seed(3))
    expected = model(input_ids=ids, attention_mask=is_subword.long()).last_hidden_state
    (expected[is_subword] * weights).sum().backward()
    (encoder(ids, torch.tensor(LENGTHS))[is_subword] * weights).sum().backward()
    theirs = dict(model.named_parameters())
    for name, parameter in encoder.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name].grad, atol=1e-4, rtol=1e-3)
    model.zero_grad()


def test_dropout_is_for_training_alone(checkpoint):
    encoder = load_encoder(checkpoint[0])
    ids, _ = padded_rows()
    lengths = torch.tensor(LENGTHS)
    with torch.no_grad():
        plain = encoder.eval()(ids, lengths)
        assert torch.equal(plain, encoder(ids, lengths, dropout=0.5))
        assert not torch.equal(plain, encoder.train()(ids, lengths, dropout=0.5))


def test_a_checkpoint_that_lacks_a_weight_is_an_error(checkpoint, tmp_path):
    path, model = checkpoint
    (tmp_path / "config.json").write_bytes((path / "config.json").read_bytes())
    tensors = {f"roberta.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    del tensors["roberta.encoder.layer.1.output.dense.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match="encoder.layer.1.output.dense.bias"):
        load_encoder(tmp_path)
