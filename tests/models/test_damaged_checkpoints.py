"""Damaged and hostile checkpoints fail at once, with an error that names the checkpoint and what is wrong with it."""

import json
import pickle
import shutil
import time
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from spacy_luke_ja.models.architectures import HFModel, fill_model
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, Checkpoint, open_checkpoint
from spacy_luke_ja.models.int8 import SCALES
from spacy_luke_ja.models.ner import NER


def load(path):
    model = HFModel(name=str(path), overlap=8, max_batch_subwords=100, precision="float32")
    fill_model(model, NER, open_checkpoint(str(path)))


def fails(path, message):
    start = time.process_time()
    with pytest.raises((OSError, ValueError), match=message) as raised:
        load(path)
    assert time.process_time() - start < 2.0
    assert str(path) in str(raised.value) and len(str(raised.value)) < 1000 + len(str(path))
    assert "weights_only" not in str(raised.value)
    return raised.value


@pytest.fixture
def copy(checkpoints, tmp_path):
    return lambda name: shutil.copytree(checkpoints.get(name, EMBEDDED / name), tmp_path / name)


def change_config(path, **changes):
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **changes}))


CONFIGS = [
    ({"num_hidden_layers": 10**7}, "num_hidden_layers .* between 1 and 1000, got 10000000"),
    ({"num_hidden_layers": 900}, "num_hidden_layers .* is 900, but its weights are only"),
    ({"num_hidden_layers": 0}, "num_hidden_layers"),
    ({"num_hidden_layers": -1}, "num_hidden_layers"),
    ({"num_hidden_layers": 2.5}, "num_hidden_layers"),
    ({"num_hidden_layers": "2"}, "num_hidden_layers"),
    ({"num_hidden_layers": None}, "num_hidden_layers"),
    ({"num_hidden_layers": True}, "num_hidden_layers"),
    ({"num_hidden_layers": 10**400}, "num_hidden_layers"),
    ({"hidden_size": 10**9}, "hidden_size .* between 1 and 65536, got 1000000000"),
    ({"hidden_size": 0}, "hidden_size"),
    ({"hidden_size": [32]}, "hidden_size"),
    ({"hidden_size": 64}, "other shapes than its config.json says"),
    ({"num_attention_heads": 0}, "num_attention_heads .* between 1 and 1024, got 0"),
    ({"num_attention_heads": 5}, "num_attention_heads"),
    ({"intermediate_size": 10**9}, "intermediate_size"),
    ({"intermediate_size": 10**6}, "other shapes"),
    ({"vocab_size": 10**12}, "vocab_size"),
    ({"vocab_size": "many"}, "vocab_size"),
    ({"max_position_embeddings": 10**9}, "max_position_embeddings"),
    ({"max_position_embeddings": 1}, "pad_token_id|max_position_embeddings"),
    ({"pad_token_id": -1}, "pad_token_id"),
    ({"pad_token_id": 10**6}, "pad_token_id"),
    ({"pad_token_id": "<pad>"}, "pad_token_id"),
    ({"type_vocab_size": 10**9}, "type_vocab_size"),
    ({"layer_norm_eps": "small"}, "layer_norm_eps"),
    ({"layer_norm_eps": float("nan")}, "layer_norm_eps"),
    ({"layer_norm_eps": -1.0}, "layer_norm_eps"),
    ({"hidden_dropout_prob": 7.5}, "hidden_dropout_prob .* between 0 and 1, got 7.5"),
    ({"attention_probs_dropout_prob": "no"}, "attention_probs_dropout_prob"),
    ({"classifier_dropout": -0.1}, "classifier_dropout"),
    ({"id2label": {str(i): f"B-X{i}" for i in range(10**5)}}, "id2label .* at most 10000 tags, got 100000"),
    ({"id2label": {"0": "O", "x": "B-人名"}}, "id2label"),
    ({"id2label": {"0": "O", "1": 5}}, "id2label"),
    ({"id2label": {"0": "O", "1": ["B-人名"]}}, "id2label"),
    ({"id2label": {"0": "O", "9" * 5000: "B-人名"}}, "id2label"),
    ({"id2label": ["O", "B-人名"]}, "id2label"),
    ({"id2label": 3}, "id2label"),
    ({"model_type": ["luke"]}, "model_type"),
    ({"model_type": {}}, "model_type"),
    ({"model_type": None}, "tokenizer of the checkpoint|of the type None"),
    ({"hidden_act": 5}, "hidden_act"),
    ({"architectures": 5}, "architectures"),
    ({"architectures": [5]}, "architectures"),
    ({"score_temperature": 10**400}, "score_temperature in config.json"),
    ({"score_temperature": float("nan")}, "score_temperature in config.json"),
    ({"cut_cost": "high"}, "cut_cost in config.json"),
]  # fmt: skip


@pytest.mark.parametrize("changes, message", CONFIGS, ids=lambda value: str(value)[:40])
def test_a_config_that_cannot_be(copy, changes, message):
    path = copy("random_luke")
    change_config(path, **changes)
    fails(path, message)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"num_hidden_layers": 10**7}, "num_hidden_layers"),
        ({"num_hidden_layers": 900}, "num_hidden_layers"),
        ({"hidden_size": 10**9}, "hidden_size"),
        ({"hidden_size": 2**15}, "other shapes"),
        ({"intermediate_size": 10**6}, "other shapes"),
        ({"vocab_size": 2**24}, "tokenizer|other shapes"),
        ({"num_attention_heads": 5}, "transformers can make nothing of the checkpoint"),
        ({"hidden_act": "no such function"}, "transformers can make nothing of the checkpoint"),
        ({"pos_att_type": 17}, "tokenizer of the checkpoint|transformers can make nothing of the checkpoint"),
        ({"id2label": {str(i): str(i) for i in range(5000)}}, "other shapes"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.filterwarnings("ignore:the tokenizer of the checkpoint")
def test_a_config_for_transformers_that_cannot_be(copy, changes, message):
    path = copy("deberta")
    change_config(path, **changes)
    fails(path, message)


@pytest.mark.parametrize(
    "name, content",
    [
        ("config.json", b"[" * 100_000),
        ("config.json", b'"a string"'),
        ("config.json", b"\xff\xfe\x00"),
        ("config.json", b'{"hidden_size": ' + b"9" * 10_000 + b"}"),
        ("config.json", b" " * (2**26 + 1)),
        ("added_tokens.json", b'{"<ent>": "32770"}'),
        ("added_tokens.json", b'{"<ent>": -1}'),
        ("added_tokens.json", b'{"<ent>": [1]}'),
        ("added_tokens.json", b"[" * 100_000),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 64),
        ("model.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00[]"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_cannot_be(copy, name, content):
    path = copy("random_luke")
    (path / name).write_bytes(content)
    fails(path, name.replace(".", r"\."))


@pytest.mark.parametrize(
    "shard",
    ["../outside.safetensors", "/etc/passwd", "sub/a.safetensors", "..\\a.safetensors", "C:a.safetensors", "", "..",
     "a.bin", "config.json", ".safetensors", "a\0.safetensors", 5, None, ["a.safetensors"]],
)  # fmt: skip
def test_a_shard_index_names_no_file_outside(copy, shard):
    path = copy("random_luke")
    tensors = load_file(path / "model.safetensors")
    (path / "model.safetensors").rename(path / "b.safetensors")
    save_file(tensors, path.parent / "outside.safetensors")
    weight_map = dict.fromkeys(tensors, "b.safetensors")
    weight_map[sorted(tensors)[0]] = shard
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    fails(path, r"model\.safetensors\.index\.json")


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": None}, {"weight_map": {}}])
def test_a_shard_index_that_names_nothing(copy, index):
    path = copy("random_luke")
    (path / "model.safetensors").rename(path / "b.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    fails(path, "weight_map|lacks some of the files")


QUERY = "luke.encoder.layer.0.attention.self.query.weight"


def odd_tensors(what, tensors):
    tensor = tensors[QUERY]
    if what == "int8 without scales":
        tensors[QUERY] = tensor.to(torch.int8)
    elif what == "scales without matrix":
        tensors["luke.nowhere.weight" + SCALES] = torch.ones(32, 1)
    elif what == "scales of a float matrix":
        tensors[QUERY + SCALES] = torch.ones(32, 1)
    elif what in ("scales of another shape", "scales of another type", "scales that are not finite"):
        tensors[QUERY] = tensor.to(torch.int8)
        scales = {
            "scales of another shape": torch.ones(1, 32),
            "scales of another type": torch.ones(32, 1, dtype=torch.int32),
            "scales that are not finite": torch.full((32, 1), float("nan")),
        }
        tensors[QUERY + SCALES] = scales[what]
    elif what == "whole numbers":
        tensors[QUERY] = tensor.to(torch.int64)
    elif what == "booleans":
        tensors[QUERY] = tensor > 0
    elif what == "a bias of whole numbers":
        tensors[QUERY.replace("weight", "bias")] = torch.zeros(32, dtype=torch.int64)
    elif what == "complex":
        tensors[QUERY] = tensor.to(torch.complex64)
    elif what == "no sides":
        tensors[QUERY] = tensor[0, 0].clone()
    elif what == "no rows":
        tensors[QUERY] = tensor[:0].clone()
    elif what == "a side too many":
        tensors[QUERY] = tensor[None].clone()


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(
    "what",
    ["int8 without scales", "scales without matrix", "scales of a float matrix", "scales of another shape",
     "scales of another type", "scales that are not finite", "whole numbers", "booleans", "complex", "no sides", "no rows",
     "a side too many", "a bias of whole numbers"],
)  # fmt: skip
def test_a_tensor_that_cannot_be(copy, what, weights):
    path = copy("random_luke")
    tensors = load_file(path / "model.safetensors")
    odd_tensors(what, tensors)
    (path / "model.safetensors").unlink()
    if weights.endswith(".bin"):
        torch.save(tensors, path / weights)
    else:
        save_file(tensors, path / weights)
    fails(path, "attention.self.query.(weight|bias)|roberta.nowhere.weight")


def test_eight_bits_are_read(copy):
    """Of the embedded checkpoint; and one that lost its scales is an error, not other entities."""
    path = copy("ja_luke_ner_sm")
    tensors = load_file(path / "model.safetensors")
    load(path)
    is_rounded = [name for name in tensors if name + SCALES in tensors]
    if is_rounded:
        del tensors[is_rounded[0] + SCALES]
        save_file(tensors, path / "model.safetensors")
        fails(path, "no .*scales says what they stand for")


class Boom:
    def __reduce__(self):
        return (print, ("a pickle was run",))


def write_bin(path, what):
    tensors = torch.load(path, weights_only=True)
    if what == "compressed":
        with zipfile.ZipFile(path) as file_:
            records = {name: file_.read(name) for name in file_.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file_:
            for name, content in records.items():
                file_.writestr(name, content + b"\0" * 10**8 if name.endswith("/0") else content)
        return
    if what in ("half", "flipped"):
        content = bytearray(path.read_bytes())
        path.write_bytes(
            content[: len(content) // 2] if what == "half" else content[:200] + b"\xff" * 300 + content[500:]
        )
        return
    contents = {
        "code": {"luke.x": Boom()},
        "a list": list(tensors.values()),
        "a tensor": tensors[QUERY],
        "nothing": None,
        "a text": "weights",
        "nested": {"state_dict": tensors},
        "with a number": {**tensors, "step": 5},
        "names that are numbers": dict(enumerate(tensors.values())),
        "sparse": {**tensors, QUERY: tensors[QUERY].to_sparse()},
        "quantized": {**tensors, QUERY: torch.quantize_per_tensor(tensors[QUERY], 0.1, 0, torch.qint8)},
        "on no device": {**tensors, QUERY: torch.empty(32, 32, device="meta")},
        "few numbers that pose as many": {**tensors, QUERY: torch.zeros(1).expand(10**6, 10**6)},
        "a whole module": torch.nn.Linear(2, 2),
        "a parameter": {**tensors, QUERY: torch.nn.Parameter(tensors[QUERY][:3])},
    }
    torch.save(contents[what], path)


@pytest.mark.parametrize(
    "what",
    ["code", "a list", "a tensor", "nothing", "a text", "nested", "with a number", "names that are numbers", "sparse",
     "quantized", "on no device", "few numbers that pose as many", "a whole module", "a parameter", "compressed", "half",
     "flipped"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_bin_that_cannot_be(copy, what, capsys):
    path = copy("luke_bin")
    write_bin(path / "pytorch_model.bin", what)
    error = fails(path, r"pytorch_model\.bin|other shapes")
    assert "weights_only" not in str(error.__cause__)
    assert "a pickle was run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [b"", b"nothing", b"\x80\x04.", pickle.dumps(5), pickle.dumps({"a": 1}), pickle.dumps(Boom()), b"PK\x03\x04" + b"\0" * 60,
     b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", b"\x80\x02" + b"(" * 10_000, b"\xff" * 1000],
    ids=range(10),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bin_of_nothing_known(copy, content):
    path = copy("luke_bin")
    (path / "pytorch_model.bin").write_bytes(content)
    fails(path, r"pytorch_model\.bin")


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80", b"\x81\xa5files\x01", b"\x93\x01\x02\x03"])
def test_bytes_that_hold_no_checkpoint(content):
    with pytest.raises((OSError, ValueError), match="from bytes"):
        Checkpoint.from_bytes(content)
