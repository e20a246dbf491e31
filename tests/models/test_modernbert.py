"""ModernBERT without padding beside transformers' class: the same numbers, for every length, layout and setting."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers

import families
import toys
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_loader import NoClassifier, build_module
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.modernbert import ModernBertClassifier, can_build
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.types import WindowBatch

TAGS = ["O", "B-地名", "I-地名"]


def write(path, *, task="TokenClassification", **settings):
    """With a tokenizer of modernbert-ja's layout."""
    layout = families.layouts()["modernbert-ja tokenizer.json"]
    sizes = {
        "vocab_size": layout.vocab_size, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48,
        "id2label": dict(enumerate(TAGS)), "label2id": {tag: i for i, tag in enumerate(TAGS)},
    }  # fmt: skip
    config = transformers.ModernBertConfig(**{**sizes, **layout.settings, **settings})
    toys.write_random(path, getattr(transformers, f"ModernBertFor{task}"), config)
    return layout.write_tokenizer(path)


def batch_of(lengths, *, n_ids=300, seed=0):
    rng = np.random.default_rng(seed)
    return WindowBatch(rng.integers(10, n_ids, sum(lengths)), np.array(lengths), pad_id=3)


def reference(path, batch):
    model = transformers.ModernBertForTokenClassification.from_pretrained(path, attn_implementation="eager").eval()
    rows = np.split(batch.ids, np.cumsum(batch.lengths)[:-1])
    with torch.inference_mode():
        return np.concatenate([model(torch.from_numpy(row)[None]).logits[0].numpy() for row in rows])


def shim_of(path, **settings):
    shim = HFShim(ModelSettings(precision="float32", **settings))
    shim.load(open_checkpoint(str(path)))
    return shim


@pytest.mark.parametrize(
    "settings",
    [
        {"local_attention": 8},
        {"local_attention": 128},
        {"local_attention": 16, "global_attn_every_n_layers": 2, "num_hidden_layers": 5},
        {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True},
        {"norm_eps": 1e-3},
    ],
    ids=str,
)
def test_logits(tmp_path, settings):
    path = write(tmp_path / "checkpoint", max_position_embeddings=1024, **settings)
    # 5 sees all; 20, 100 a mask; 129, 300, 700 blocks; equal ones together.
    batch = batch_of([5, 5, 20, 100, 129, 129, 300, 700])
    shim = shim_of(path)
    assert isinstance(shim.module, ModernBertClassifier)
    assert np.abs(shim.infer(batch) - reference(path, batch)).max() < 1e-5


def test_gradients(tmp_path):
    path = write(tmp_path / "checkpoint", local_attention=8, max_position_embeddings=256)
    batch = batch_of([7, 40, 40, 200])
    shim = shim_of(path)
    (logits,), backprop = shim.train_all([batch], dropout_rate=0.0)
    backprop([np.ones_like(logits)])
    own = {name: parameter.grad for name, parameter in shim.module.named_parameters()}
    model = transformers.ModernBertForTokenClassification.from_pretrained(path, attn_implementation="eager").eval()
    for row in np.split(batch.ids, np.cumsum(batch.lengths)[:-1]):
        model(torch.from_numpy(row)[None]).logits.sum().backward()
    theirs = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert own.keys() == theirs.keys()
    for name, gradient in theirs.items():
        if "tok_embeddings" not in name:  # transformers leaves the padding's row out
            assert torch.allclose(own[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max())), name


@pytest.mark.parametrize(
    "change, thetas",
    [
        ({"global_rope_theta": 1000.0, "local_rope_theta": 50.0}, (1000.0, 50.0)),
        ({"global_rope_theta": 1000.0, "local_rope_theta": None}, (1000.0, 1000.0)),
        (
            {
                "rope_parameters": {
                    "full_attention": {"rope_type": "default", "rope_theta": 1000.0},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
                },
                "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
            },
            (1000.0, 50.0),
        ),
    ],
)
def test_configs_of_both_versions_of_transformers(tmp_path, change, thetas):
    path = write(tmp_path / "checkpoint")
    config = json.loads((path / "config.json").read_text())
    for key in ("rope_parameters", "layer_types", "rope_theta"):
        config.pop(key, None)
    (path / "config.json").write_text(json.dumps({**config, **change}))
    kinds = [layer.attn.kind for layer in shim_of(path).module.base_model.layers]
    assert (kinds[0].theta, kinds[1].theta, kinds[3].theta) == (thetas[0], thetas[1], thetas[0])
    assert [kind.reach for kind in kinds] == [None, 4, 4, None]


def test_what_it_lacks_is_left_to_transformers():
    config = {"model_type": "modernbert", "vocab_size": 10}
    assert can_build(config)
    assert not can_build({**config, "hidden_activation": "silu"})
    assert not can_build({**config, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}})
    assert not can_build({**config, "rope_parameters": {"full_attention": {"rope_type": "yarn"}}})


def test_the_head_of_a_masked_language_model_is_kept(tmp_path):
    path = write(tmp_path / "checkpoint", task="MaskedLM")
    checkpoint = open_checkpoint(str(path))
    with pytest.raises(NoClassifier, match="an encoder without a classifier"):
        build_module(checkpoint)
    stored = transformers.ModernBertForMaskedLM.from_pretrained(path).state_dict()
    module = build_module(checkpoint.with_new_classifier(TAGS), new_head=True)
    for name in ("head.dense.weight", "head.norm.weight", "model.layers.1.attn.Wqkv.weight"):
        assert torch.equal(module.state_dict()[name], stored[name]), name
    assert 0.01 < float(module.classifier.weight.detach().std()) < 0.03


def test_a_bare_encoder_gets_a_head(tmp_path):
    path = write(tmp_path / "checkpoint", task="MaskedLM")
    model = transformers.ModernBertModel.from_pretrained(path)
    for name in ("model.safetensors", "config.json"):
        (path / name).unlink()
    model.save_pretrained(path)
    module = build_module(open_checkpoint(str(path)).with_new_classifier(TAGS), new_head=True)
    assert torch.equal(module.head.norm.weight, torch.ones(32)) and module.head.dense.weight.detach().std() > 0
    assert all(parameter.device.type == "cpu" and parameter.isfinite().all() for parameter in module.parameters())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux counts it")
@pytest.mark.parametrize("what, limit", [("infer", 250), ("train_all", 900)])
def test_memory_of_a_long_window(tmp_path, what, limit):
    """Megabytes that a window of 8,192 takes beyond one of 100; transformers' mask alone has 268 a layer."""
    path = write(tmp_path / "checkpoint", max_position_embeddings=8192, local_attention=128)
    run = subprocess.run([sys.executable, "-c", MEMORY, str(path), what], capture_output=True, text=True, check=True)
    assert float(run.stdout) < limit


MEMORY = """
import resource, sys
import numpy as np
import torch
from spacy_luke_ja.models.hf_checkpoint import open_checkpoint
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.types import WindowBatch

torch.set_num_threads(1)
shim = HFShim(ModelSettings(precision="float32"))
shim.load(open_checkpoint(sys.argv[1]))


def run(length):
    batch = WindowBatch(np.arange(length) % 250 + 10, np.array([length]), pad_id=3)
    if sys.argv[2] == "infer":
        shim.infer(batch)
    else:
        outputs, backprop = shim.train_all([batch], dropout_rate=0.0)
        backprop(outputs)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


few = run(100)
print(run(8192) - few)
"""
