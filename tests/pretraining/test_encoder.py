"""Checkpoints become encoders and classifiers to be trained; that those compute what transformers' do, tests/models says."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

import toys
from scripts.pretraining.encoder import load_classifier, load_encoder, new_classifier, read_checkpoint, write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random XLMRobertaForTokenClassification, saved, and the model."""
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=34, type_vocab_size=1, layer_norm_eps=1e-5, num_labels=5,
    )  # fmt: skip
    model = transformers.XLMRobertaForTokenClassification(config).eval()
    toys.spread_out(model, std=0.3)
    path = tmp_path_factory.mktemp("checkpoint")
    (path / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf8")
    tensors = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    save_file(tensors, path / "model.safetensors")
    return path, model


@pytest.fixture
def ids():
    return torch.randint(4, 60, (3, 20), generator=torch.Generator().manual_seed(2))


def test_the_encoder_without_the_head(checkpoint, ids):
    path, model = checkpoint
    encoder = load_encoder(path)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    expected = model.roberta(input_ids=ids).last_hidden_state.flatten(0, 1)
    torch.testing.assert_close(encoder(ids.flatten(), [20] * 3), expected, atol=1e-5, rtol=1e-5)


def test_the_whole_classifier(checkpoint, ids):
    path, model = checkpoint
    expected = model(input_ids=ids).logits.flatten(0, 1)
    torch.testing.assert_close(load_classifier(path)(ids.flatten(), [20] * 3), expected, atol=1e-5, rtol=1e-5)


def test_what_is_written_is_read(checkpoint, tmp_path):
    (tmp_path / "sentencepiece.bpe.model").write_bytes(b"pieces")
    config, tensors = read_checkpoint(checkpoint[0], dropout=0.0)
    written = {**config, "id2label": {"0": "B-地名"}}
    write_checkpoint(tmp_path / "new" / "one", written, {name: t.t() for name, t in tensors.items()}, tmp_path)
    again, transposed = read_checkpoint(tmp_path / "new" / "one", dropout=0.0)
    assert again == written and all(torch.equal(transposed[name], tensors[name].t()) for name in tensors)
    assert "B-地名" in (tmp_path / "new" / "one" / "config.json").read_text(encoding="utf8")
    assert (tmp_path / "new" / "one" / "sentencepiece.bpe.model").read_bytes() == b"pieces"


def test_a_new_head_has_small_random_weights(checkpoint):
    path, model = checkpoint
    torch.manual_seed(0)
    classifier = new_classifier(path, 7)
    assert classifier.last_layer.weight.shape == (7, 32) and 0.01 < classifier.last_layer.weight.std() < 0.03
    assert not classifier.last_layer.bias.any()
    torch.manual_seed(0)
    assert torch.equal(new_classifier(path, 7).last_layer.weight, classifier.last_layer.weight)
    for name, tensor in classifier.base_model.state_dict().items():
        assert torch.equal(tensor, model.roberta.state_dict()[name])


def test_dropout_is_for_training_alone(checkpoint, ids):
    classifier = new_classifier(checkpoint[0], 7, dropout=0.5)
    with torch.no_grad():
        plain = classifier.eval()(ids.flatten(), [20] * 3)
        assert torch.equal(plain, classifier(ids.flatten(), [20] * 3))
        assert not torch.equal(plain, classifier.train()(ids.flatten(), [20] * 3))
        encoder = load_encoder(checkpoint[0]).train()  # for pretraining, which has none
        trained, used = encoder(ids.flatten(), [20] * 3), encoder.eval()(ids.flatten(), [20] * 3)
        assert torch.allclose(trained, used, atol=1e-5)  # by two kernels of attention


@pytest.mark.parametrize("load", [load_encoder, load_classifier, lambda path: new_classifier(path, 5)])
def test_a_checkpoint_that_lacks_a_weight_is_an_error(checkpoint, tmp_path, load):
    path, model = checkpoint
    (tmp_path / "config.json").write_bytes((path / "config.json").read_bytes())
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    del tensors["roberta.encoder.layer.1.output.dense.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match="encoder.layer.1.output.dense.bias"):
        load(tmp_path)
