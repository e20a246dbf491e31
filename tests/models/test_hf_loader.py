"""Checkpoints on disk: strict, exact, safe, and clear about what is wrong with them."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import toys
from spacy_luke_ja.models import hf_tensors
from spacy_luke_ja.models.architectures import HFModel, fill_model
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, OF_DECODING, OWN_KEYS, open_checkpoint
from spacy_luke_ja.models.hf_loader import build_module, max_subwords
from spacy_luke_ja.models.hf_tensors import read_tensors
from spacy_luke_ja.models.ner import NER
from spacy_luke_ja.models.roberta import Classifier


def logits_of(module, ids):
    """(n_rows, n_subwords, n_tags); a module of ours takes the rows joined."""
    with torch.inference_mode():
        if isinstance(module, Classifier):
            return module(ids.flatten(), [ids.shape[1]] * len(ids)).view(*ids.shape, -1)
        return module(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


@pytest.mark.parametrize("name, entity_vocab_size", [("random_luke", 50), ("luke_bin", 50), ("ja_luke_ner_sm", 4)])
def test_a_luke_gives_the_logits_of_lukefortokenclassification(checkpoints, name, entity_vocab_size):
    from transformers import LukeForTokenClassification

    path = checkpoints.get(name, EMBEDDED / name)
    reference, report = LukeForTokenClassification.from_pretrained(path, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"]
    assert reference.config.entity_vocab_size == entity_vocab_size
    reference = reference.float().eval()
    module = build_module(open_checkpoint(str(path)))
    torch.manual_seed(1)
    ids = torch.randint(4, 40, (3, 60))
    ids[:, 0], ids[:, -1] = 0, 2
    expected = logits_of(reference, ids)
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(logits_of(module, ids), expected, atol=1e-5, rtol=1e-5)


def test_the_embedded_encoder_is_a_lukemodel():
    from transformers import LukeModel

    reference, report = LukeModel.from_pretrained(EMBEDDED / "ja_luke_sm", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    own = build_module(open_checkpoint("ja_luke_sm"), new_head=True).base_model.state_dict()
    theirs = {name: tensor.float() for name, tensor in reference.state_dict().items()}
    assert own and all(torch.equal(tensor, theirs[name]) for name, tensor in own.items())


def test_entity_tensors_are_never_materialised(checkpoints, monkeypatch):
    import safetensors

    read_names = []
    real = safetensors.safe_open

    class Recording:
        def __init__(self, *args, **kwargs):
            self.file = real(*args, **kwargs)

        def keys(self):
            return self.file.keys()

        def get_slice(self, name):
            read_names.append(name)
            return self.file.get_slice(name)

        def get_tensor(self, name):
            read_names.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(safetensors, "safe_open", Recording)
    module = build_module(open_checkpoint(str(checkpoints["random_luke"])))
    names = set(module.state_dict())
    assert not any("entity" in name or "2e_query" in name or "2w_query" in name for name in names)
    assert len(set(read_names)) == len(names)
    assert not any("entity" in name or "2e_query" in name or "2w_query" in name for name in read_names)
    assert names == set(read_tensors(open_checkpoint(str(checkpoints["random_luke"]))))


def test_weights_are_read_in_the_precision_asked_for(checkpoints):
    module = build_module(open_checkpoint(str(checkpoints["random_luke"])), dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("name", ["random_luke", "luke_bin"])
@pytest.mark.parametrize("part_bytes", [1, 700, 2**24])
def test_a_cast_part_by_part_is_the_cast_of_the_whole(checkpoints, name, part_bytes, monkeypatch):
    monkeypatch.setattr(hf_tensors, "PART_BYTES", part_bytes)
    checkpoint = open_checkpoint(str(checkpoints[name]))
    stored, cast = read_tensors(checkpoint), read_tensors(checkpoint, dtype=torch.bfloat16)
    assert stored.keys() == cast.keys()
    assert all(torch.equal(tensor.bfloat16(), cast[key]) for key, tensor in stored.items())


def test_to_load_is_not_to_import_what_only_draws_weights():
    """A second of it; spacy-transformers, where it is installed, has it imported before."""
    code = (
        "import sys, spacy_luke_ja\n"
        "component = spacy_luke_ja.blank().add_pipe('luke_ner')\n"
        "before = set(sys.modules)\n"
        "component.load()\n"
        "assert not {'sympy', 'torch._dynamo'} & (set(sys.modules) - before)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_entity_vocab_is_not_parsed(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["random_luke"], tmp_path / "luke")
    (path / "entity_vocab.json").write_text("this is not JSON")
    assert "entity_vocab.json" not in open_checkpoint(str(path)).files
    build_module(open_checkpoint(str(path)))


@pytest.mark.parametrize("name, limit", [("random_luke", 64), ("xlmr", 64), ("bert", 64)])
def test_the_longest_window_comes_from_the_position_embeddings(checkpoints, name, limit):
    checkpoint = open_checkpoint(str(checkpoints[name]))
    assert max_subwords(build_module(checkpoint), checkpoint.config) == limit


def test_shards_are_read_together(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["random_luke"], tmp_path / "luke")
    tensors = load_file(path / "model.safetensors")
    names = sorted(tensors)
    halves = {"a.safetensors": names[: len(names) // 2], "b.safetensors": names[len(names) // 2 :]}
    for file_name, part in halves.items():
        save_file({name: tensors[name] for name in part}, path / file_name)
    index = {"weight_map": {name: file_name for file_name, part in halves.items() for name in part}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    (path / "model.safetensors").unlink()
    whole = build_module(open_checkpoint(str(checkpoints["random_luke"]))).state_dict()
    sharded = build_module(open_checkpoint(str(path))).state_dict()
    assert all(torch.equal(whole[name], sharded[name]) for name in whole)
    (path / "b.safetensors").unlink()
    with pytest.raises(OSError, match="lacks some of the files"):
        open_checkpoint(str(path))


class Boom:
    def __reduce__(self):
        return (print, ("a pickle was run",))


def test_a_pickle_is_not_run(checkpoints, tmp_path, capsys):
    path = shutil.copytree(checkpoints["luke_bin"], tmp_path / "luke")
    torch.save({"luke.x": Boom()}, path / "pytorch_model.bin")
    with pytest.raises(OSError, match="more than tensors"):
        build_module(open_checkpoint(str(path)))
    assert "a pickle was run" not in capsys.readouterr().out
    (path / "pytorch_model.bin").write_bytes(pickle.dumps(Boom()))
    with pytest.raises(OSError):
        build_module(open_checkpoint(str(path)))
    assert "a pickle was run" not in capsys.readouterr().out


def damage(path, what):
    weights = path / "model.safetensors"
    config = json.loads((path / "config.json").read_text())
    if what.startswith("no "):
        (path / what[3:]).unlink()
    elif what == "truncated weights":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif what == "truncated header":
        weights.write_bytes(weights.read_bytes()[:50])
    elif what == "broken config":
        (path / "config.json").write_text("{")
    elif what == "missing tensor":
        tensors = load_file(weights)
        del tensors["luke.encoder.layer.0.attention.self.key.weight"]
        save_file(tensors, weights)
    elif what == "other shapes":
        config["hidden_size"] = 64
    elif what == "other vocabulary":
        config["vocab_size"] += 300
    elif what == "other special ids":
        config["pad_token_id"] = 0
    elif what == "fewer layers":
        config["num_hidden_layers"] = 1
    elif what == "lost vocabulary size":
        del config["vocab_size"]
    elif what == "odd tag numbers":
        config["id2label"] = {"1": "O", "2": "B-地名"}
    elif what == "broken added tokens":
        (path / "added_tokens.json").write_text("[")
    elif what == "unknown type":
        config["model_type"] = "luke2"
    elif what == "broken sentencepiece":
        (path / "sentencepiece.bpe.model").write_bytes(b"nothing")
    elif what == "plain sentencepiece":
        (path / "sentencepiece.bpe.model").write_bytes(without_nfkc())
    if what != "broken config" and (path / "config.json").exists():
        (path / "config.json").write_text(json.dumps(config))


def without_nfkc():
    import io

    import sentencepiece

    model = io.BytesIO()
    n_pieces = toys.processor().get_piece_size()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(toys.TEXTS * 20), model_writer=model, vocab_size=n_pieces, hard_vocab_limit=False,
        character_coverage=1.0, normalization_rule_name="identity", minloglevel=2,
        user_defined_symbols=list(toys.LEXICON), max_sentencepiece_length=4,
    )  # fmt: skip
    return model.getvalue()


@pytest.mark.parametrize(
    "what, message",
    [
        ("no config.json", "has no config.json"),
        ("no model.safetensors", "has no weights"),
        ("no sentencepiece.bpe.model", "tokenizer"),
        ("truncated weights", "model.safetensors of the checkpoint .* is damaged or cut short"),
        ("truncated header", "model.safetensors of the checkpoint .* is damaged or cut short"),
        ("broken config", "config.json of the checkpoint .* is damaged"),
        ("missing tensor", "lacks 1 of the tensors .* roberta.encoder.layer.0.attention.self.key.weight"),
        ("other shapes", "other shapes than its config.json says"),
        ("other vocabulary", "not the tokenizer the checkpoint was trained with"),
        ("fewer layers", "tensors that its config.json has no place for, say roberta.encoder.layer.1"),
        ("lost vocabulary size", "must give vocab_size, a number, got None"),
        ("odd tag numbers", "id2label in config.json of the checkpoint .* must number its tags 0 … 1, got 1, 2"),
        ("broken added tokens", "added_tokens.json of the checkpoint .* is damaged"),
        ("other special ids", "pad_token_id 0, its tokenizer 1"),
        ("broken sentencepiece", "sentencepiece.bpe.model of the checkpoint .* is damaged"),
        ("plain sentencepiece", "normalises by NFKC|vocabulary"),
    ],
)
def test_a_damaged_checkpoint_is_named(checkpoints, tmp_path, what, message):
    path = shutil.copytree(checkpoints["random_luke"], tmp_path / "luke")
    damage(path, what)
    model = HFModel(name=str(path), overlap=8, max_batch_subwords=100, precision="float32")
    with pytest.raises((OSError, ValueError), match=message) as raised:
        fill_model(model, NER, open_checkpoint(str(path)))
    assert str(path) in str(raised.value)


def test_an_unknown_architecture_is_named(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["bert"], tmp_path / "bert")
    damage(path, "unknown type")
    with pytest.raises(ValueError, match="of the type luke2"):
        build_module(open_checkpoint(str(path)))


def test_an_encoder_without_a_classifier_says_that_it_needs_training(checkpoints):
    with pytest.raises(ValueError, match="an encoder without a classifier for TokenClassification, to be"):
        build_module(open_checkpoint(str(checkpoints["bare_luke"])).with_tags(["O", "X"]))


def test_a_name_that_is_nowhere_says_what_to_do():
    with pytest.raises(OSError, match="hub cannot be reached.*embedded ja_luke_ner_sm"):
        open_checkpoint("Mizuiro-sakura/luke-japanese-base-finetuned-ner")
    with pytest.raises(OSError, match="there is no directory ./nowhere"):
        open_checkpoint("./nowhere")


@pytest.fixture
def no_wait(monkeypatch):
    """A machine that may ask the hub and has no network; to wait for another try is an error."""
    import time

    import huggingface_hub.constants

    def refuse(seconds):
        raise AssertionError(f"waited for {seconds} seconds")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(time, "sleep", refuse)


@pytest.mark.parametrize("name", ["someone/no-such-model", "models/mine", "no-such-model"])
def test_without_a_network_a_name_fails_at_once(no_wait, name):
    said = f"{name} is no directory here.*cannot be reached. If it is meant to be a directory, correct the path"
    with pytest.raises(OSError, match=f"{said}.*ja_luke_qa_sm, for questions"):
        open_checkpoint(name)


@pytest.mark.parametrize(
    "name",
    [
        "./models/x",
        "models/x/y",
        "模型/佐藤",
        "my model",
        "C:\\models\\x",
        "models/x/",
        "~/x",
        "../x",
        "/nowhere",
        "x.",
    ],
)
def test_what_can_only_be_a_path_fails_without_a_network(monkeypatch, name):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)
    with pytest.raises(OSError, match="there is no directory .*, which the setting name gives as the checkpoint"):
        open_checkpoint(name)


def test_a_cached_checkpoint_that_lacks_files_opens_at_once(hub_cache, no_wait):
    assert build_module(open_checkpoint("someone/luke-ner")).num_labels == 17


def test_a_trained_pipeline_is_a_checkpoint(make_nlp, tmp_path):
    nlp = make_nlp()
    (tmp_path / "run").mkdir()
    nlp.to_disk(tmp_path / "run" / "model-best")
    with pytest.raises(OSError, match="run holds model-best and perhaps model-last: name one of them"):
        open_checkpoint(str(tmp_path / "run"))
    again = make_nlp(tmp_path / "run" / "model-best")
    text = "山田花子は東京都へ"
    assert [ent.text for ent in again(text).ents] == [ent.text for ent in nlp(text).ents] == ["山田花子", "東京都"]
    nlp.add_pipe(
        "luke_ner", name="second", config={"model": {"name": str(tmp_path / "run" / "model-best"), "overlap": 16}}
    )
    nlp.to_disk(tmp_path / "two")
    with pytest.raises(OSError, match="several checkpoints: name one of .*two/luke_ner/model, .*two/second/model"):
        open_checkpoint(str(tmp_path / "two"))
    nlp.remove_pipe("luke_ner")
    nlp.remove_pipe("second")
    nlp.to_disk(tmp_path / "none")
    with pytest.raises(OSError, match="none is a pipeline with no component of spacy_luke_ja"):
        open_checkpoint(str(tmp_path / "none"))


def test_a_new_classifier_is_read_as_the_old_one_and_decoded_anew():
    checkpoint = open_checkpoint("ja_luke_ner_sm")
    kept = {key: checkpoint.with_new_classifier(["O"]).config.get(key) for key in OWN_KEYS}
    assert {key for key, value in kept.items() if value is not None} == {"window", "line_break_id"}
    assert {*OF_DECODING} < checkpoint.config.keys()


def test_a_checkpoint_in_the_hub_cache_loads_offline(hub_cache):
    for revision in (None, hub_cache):
        checkpoint = open_checkpoint("someone/luke-ner", revision=revision)
        assert build_module(checkpoint).num_labels == 17
    with pytest.raises(OSError, match="hub cannot be reached"):
        open_checkpoint("someone/luke-ner", revision="v2")


def test_a_cache_that_may_lack_the_kind_of_tokenizer_is_not_guessed_at(hub_cache, checkpoints, tmp_path):
    (snapshot,) = (tmp_path / "cache").glob("models--*/snapshots/*")
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        shutil.copy(checkpoints["slow_bert"] / name, snapshot)
    with pytest.raises(OSError, match="tokenizer_config.json of the checkpoint someone/luke-ner is not in the"):
        open_checkpoint("someone/luke-ner")


def test_no_remote_code_is_run(checkpoints, tmp_path):
    path = shutil.copytree(checkpoints["bert"], tmp_path / "bert")
    config = json.loads((path / "config.json").read_text())
    config["auto_map"] = {"AutoModelForTokenClassification": "code.Evil", "AutoConfig": "code.EvilConfig"}
    (path / "config.json").write_text(json.dumps(config))
    (path / "code.py").write_text("raise SystemExit('remote code was run')")
    module = build_module(open_checkpoint(str(path)))
    assert type(module) is Classifier
    assert np.isfinite(logits_of(module, torch.tensor([[2, 5, 3]])).numpy()).all()
