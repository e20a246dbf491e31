"""A saved pipeline holds everything, and gives what it gave."""

import json
import shutil
from pathlib import Path

import pytest
import spacy
from safetensors.torch import load_file
from thinc.api import Config

import spacy_luke_ja

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"


def spans(nlp):
    return [tuple(span) for span in nlp(TEXT)._.luke_entities]


@pytest.mark.parametrize(
    "checkpoint",
    [
        "luke",
        "random_luke",
        "luke_bin",
        "xlmr",
        "fast_xlmr",
        "bert",
        "slow_bert",
        "roberta",
        "deberta",
    ],
)
@pytest.mark.parametrize("used_before", [True, False])
def test_a_pipeline_loads_without_its_checkpoint(checkpoints, tmp_path, checkpoint, used_before):
    original = shutil.copytree(checkpoints[checkpoint], tmp_path / "original")
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(original), "overlap": 8}})
    expected = spans(nlp) if used_before else None
    nlp.to_disk(tmp_path / "saved")
    expected = expected or spans(nlp)
    shutil.rmtree(original)
    moved = (tmp_path / "saved").rename(tmp_path / "moved")
    assert spans(spacy.load(moved)) == expected


def test_what_is_saved_is_a_checkpoint_in_the_hugging_face_layout(make_nlp, tmp_path):
    make_nlp("random_luke").to_disk(tmp_path)
    model = tmp_path / "luke_ner" / "model"
    assert {path.name for path in model.iterdir()} == {
        "config.json", "model.safetensors", "sentencepiece.bpe.model", "added_tokens.json",
    }  # fmt: skip
    config = json.loads((model / "config.json").read_text())
    assert config["model_type"] == "xlm-roberta" and config["architectures"] == ["XLMRobertaForTokenClassification"]
    nlp = make_nlp(str(model))
    assert spans(nlp) == spans(make_nlp("random_luke"))


def test_bytes(make_nlp):
    nlp = make_nlp()
    expected = spans(nlp)
    config = nlp.config
    loaded = spacy.blank("ja", config={"nlp": {"tokenizer": config["nlp"]["tokenizer"]}})
    loaded.add_pipe("luke_ner", config={"model": {"name": "no/such-checkpoint", "overlap": 8}})
    loaded.from_bytes(nlp.to_bytes())
    assert spans(loaded) == expected
    assert loaded.get_pipe("luke_ner").labels == nlp.get_pipe("luke_ner").labels


def test_bytes_of_an_untouched_component(make_nlp):
    component = make_nlp().get_pipe("luke_ner")
    fresh = make_nlp("xlmr").get_pipe("luke_ner")
    assert fresh.from_bytes(component.to_bytes()).labels == component.labels


def test_weights_that_ran_in_bfloat16_are_saved_in_full(make_nlp, checkpoints, tmp_path):
    nlp = make_nlp("random_luke", model={"precision": "bfloat16"})
    spans(nlp)
    nlp.to_disk(tmp_path)
    saved = load_file(tmp_path / "luke_ner" / "model" / "model.safetensors")
    original = load_file(checkpoints["random_luke"] / "model.safetensors")
    name = "encoder.layer.0.attention.self.key.weight"
    assert (saved[f"roberta.{name}"] == original[f"luke.{name}"]).all()


def test_saving_over_itself(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    expected = spans(nlp)
    nlp.to_disk(tmp_path)
    assert spans(spacy.load(tmp_path)) == expected


def test_weights_and_tokenizer_can_be_left_out(make_nlp, tmp_path):
    component = make_nlp().get_pipe("luke_ner")
    component.to_disk(tmp_path / "luke_ner", exclude=["model", "vocab"])
    assert {path.name for path in (tmp_path / "luke_ner").iterdir()} == {"cfg"}


def test_own_labels_are_not_mapped_again(checkpoints, tmp_path):
    """Labels that a component was trained on are its own, whatever the settings say of a checkpoint's."""
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["bare_luke"]), "overlap": 8}})
    nlp.get_pipe("luke_ner").initialize(lambda: [example(nlp)], nlp=nlp, labels=["魚", "PER"])
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("luke_ner").labels == ("魚", "PER")


def example(nlp):
    from spacy.training import Example

    return Example.from_dict(nlp.make_doc("鯛"), {"entities": [(0, 1, "魚")]})


def test_the_config_is_complete_and_refills_to_itself(make_nlp):
    from spacy import util

    nlp = make_nlp()
    config = nlp.config
    assert util.load_model_from_config(config, auto_fill=True).config == config
    settings = config["components"]["luke_ner"]
    assert settings["ents_filter"] == {"@misc": "spacy.prioritize_existing_ents_filter.v1"}
    assert settings["model"]["@architectures"] == "spacy-luke-ja.HFModel.v1"


@pytest.mark.parametrize("factory, former", [("luke_ner", "HFTokenClassifier"), ("luke_qa", "HFQuestionAnswerer")])
def test_a_pipeline_saved_under_a_models_former_name_loads(checkpoints, answerers, tmp_path, factory, former):
    name = checkpoints["luke"] if factory == "luke_ner" else answerers["luke"]
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe(factory, config={"model": {"name": str(name), "overlap": 8}})
    nlp.to_disk(tmp_path)
    config = (tmp_path / "config.cfg").read_text(encoding="utf8")
    (tmp_path / "config.cfg").write_text(config.replace("HFModel.v1", f"{former}.v1"), encoding="utf8")
    pipe = spacy.load(tmp_path).get_pipe(factory)
    pipe.load()
    assert pipe.overlap == 8 and pipe._shim.checkpoint.tags == nlp.get_pipe(factory)._shim.checkpoint.tags


def test_the_embedded_weights_stay_small():
    pretrained = Path(spacy_luke_ja.__file__).parent / "pretrained"
    sizes = {path.name: sum(each.stat().st_size for each in path.iterdir()) for path in pretrained.iterdir()}
    assert len(sizes) >= 3 and all(size < 20e6 for name, size in sizes.items() if name.endswith("_sm"))
    assert sum(sizes.values()) < 90e6


def test_a_saved_checkpoint_from_elsewhere_still_takes_another_label_map(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path)
    config = Config().from_disk(tmp_path / "config.cfg")
    config["components"]["luke_ner"]["label_map"] = {"地名": "GPE"}
    config.to_disk(tmp_path / "config.cfg")
    with pytest.warns(UserWarning, match="map to nothing"):
        nlp = spacy.load(tmp_path)
    assert nlp.get_pipe("luke_ner").labels == ("GPE",)


def test_weights_that_changed_on_disk_are_not_taken_for_those_in_memory(make_nlp, tmp_path):
    make_nlp(model={"precision": "float32"}).to_disk(tmp_path / "a")
    nlp = spacy.load(tmp_path / "a")
    expected = spans(nlp)
    make_nlp("random_luke").to_disk(tmp_path / "a")
    nlp.to_disk(tmp_path / "b")
    assert spans(spacy.load(tmp_path / "b")) == expected
    reduced = spacy.load(tmp_path / "b", config={"components.luke_ner.model.precision": "bfloat16"})
    (tmp_path / "b" / "luke_ner" / "model" / "model.safetensors").unlink()
    with pytest.warns(UserWarning, match="are gone.*go on from what is in memory, in bfloat16"):
        reduced.to_disk(tmp_path / "c")
    assert [span[:3] for span in spans(spacy.load(tmp_path / "c"))] == [span[:3] for span in expected]


def test_training_goes_on_when_the_weights_on_disk_are_gone(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components.luke_ner.model.precision": "bfloat16"})
    shutil.rmtree(tmp_path / "luke_ner")
    with pytest.warns(UserWarning, match="go on from what is in memory"):
        nlp.get_pipe("luke_ner").add_label("魚")
    assert nlp.get_pipe("luke_ner").precision == "float32"


def test_a_directory_of_another_checkpoint_is_cleared(make_nlp, checkpoints, tmp_path):
    make_nlp("luke").to_disk(tmp_path)
    make_nlp("fast_xlmr").to_disk(tmp_path)
    assert not (tmp_path / "luke_ner" / "model" / "sentencepiece.bpe.model").exists()
    assert spans(spacy.load(tmp_path)) == spans(make_nlp("fast_xlmr"))


def test_the_weights_are_as_readable_as_the_config(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path)
    model = tmp_path / "luke_ner" / "model"
    assert (model / "model.safetensors").stat().st_mode == (model / "config.json").stat().st_mode


def test_tensors_that_share_memory_can_be_saved(make_nlp, checkpoints, tmp_path):
    import torch

    path = shutil.copytree(checkpoints["luke_bin"], tmp_path / "luke")
    tensors = torch.load(path / "pytorch_model.bin", weights_only=True)
    tensors["classifier.weight"] = tensors["classifier.weight"].t().contiguous().t()
    tensors["lm_head.decoder.weight"] = tensors["luke.embeddings.word_embeddings.weight"]
    torch.save(tensors, path / "pytorch_model.bin")
    nlp = make_nlp(str(path))
    expected = spans(nlp)
    nlp.to_disk(tmp_path / "saved")
    assert spans(spacy.load(tmp_path / "saved")) == expected
