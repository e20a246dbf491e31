"""Checkpoints in LUKE's layout, which compute what the trained ones compute."""

import json
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file
from spacy.training import Example

import spacy_luke_ja
from scripts.pretraining.export import as_luke


@pytest.fixture(scope="module")
def exported(work, teacher, ner_json, tmp_path_factory, run_stage):
    """name → directory: the encoder alone, and the classifier with a temperature."""
    root = tmp_path_factory.mktemp("exported")
    run_stage("export", work / "start", root / "encoder")
    run_stage("export", teacher, root / "classifier", "--calibrate", ner_json, "--md5", "")
    return {"encoder": root / "encoder", "classifier": root / "classifier"}


@pytest.mark.parametrize("name, model_class", [
    ("encoder", "LukeModel"),
    ("classifier", "LukeForTokenClassification"),
])  # fmt: skip
def test_transformers_loads_it_strictly(exported, name, model_class):
    config = json.loads((exported[name] / "config.json").read_text(encoding="utf8"))
    assert (config["architectures"], config["model_type"]) == ([model_class], "luke")
    model_class = getattr(transformers, model_class)
    model, info = model_class.from_pretrained(exported[name], output_loading_info=True)
    assert {key: list(value) for key, value in info.items() if value} == {}
    assert set(model.state_dict()) == set(load_file(exported[name] / "model.safetensors"))


def test_the_classifier_computes_what_the_source_computes(exported, teacher):
    source = transformers.XLMRobertaForTokenClassification.from_pretrained(teacher).float().eval()
    luke = transformers.LukeForTokenClassification.from_pretrained(exported["classifier"]).float().eval()
    ids = torch.tensor([[0, 5, 9, 20, 31, 2], [0, 40, 41, 2, 1, 1]])
    mask = (ids != 1).long()
    with torch.no_grad():
        expected, found = (model(input_ids=ids, attention_mask=mask).logits for model in (source, luke))
    assert expected.shape == (2, 6, 17)
    torch.testing.assert_close(found[mask.bool()], expected[mask.bool()], atol=0.02, rtol=0.02)


def test_the_encoder_computes_what_the_source_computes(exported, work):
    source = transformers.XLMRobertaModel.from_pretrained(work / "start", add_pooling_layer=False).float().eval()
    luke = transformers.LukeModel.from_pretrained(exported["encoder"]).float().eval()
    ids = torch.tensor([[0, 5, 9, 20, 31, 2]])
    with torch.no_grad():
        expected, found = (model(input_ids=ids).last_hidden_state for model in (source, luke))
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)


def test_weights_are_half_as_wide_and_there_are_no_queries_of_entities(teacher):
    tensors = as_luke(load_file(teacher / "model.safetensors"), 80)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert any("attention.self.query" in name for name in tensors)
    assert not any(query in name for name in tensors for query in ("w2e_query", "e2w_query", "e2e_query"))


def test_the_temperature_of_the_scores(exported, work, tmp_path, run_stage):
    settings = {name: json.loads((path / "config.json").read_text()) for name, path in exported.items()}
    assert 0.05 < settings["classifier"]["score_temperature"] < 13
    assert "score_temperature" not in settings["encoder"]


def test_luke_ner_finds_entities_with_the_classifier(exported):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(exported["classifier"])}})
    doc = nlp("山田花子は東京へ行った。")
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("山田花子", "人名"), ("東京", "地名")]
    temperature = json.loads((exported["classifier"] / "config.json").read_text())["score_temperature"]
    assert nlp.get_pipe("luke_ner").score_temperature == temperature


@pytest.mark.parametrize("tags, message", [
    (None, "an encoder without a classifier is to be trained first"),
    (["O", "地名"], "classifier"),
])  # fmt: skip
def test_luke_ner_does_not_predict_with_the_encoder_alone(exported, tags, message):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(exported["encoder"])}, "tags": tags})
    with pytest.raises(ValueError, match=message):
        nlp("東京へ行った。")


def test_luke_ner_trains_the_encoder(exported):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(exported["encoder"])}})
    doc = nlp.make_doc("山田花子は東京へ行った。")
    examples = [Example.from_dict(doc, {"entities": [(0, 4, "人名"), (5, 7, "地名")]})]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 1e-3
    losses = [nlp.update(examples, sgd=optimizer)["luke_ner"] for _ in range(30)]
    assert losses[-1] < 0.2 * losses[0]
    assert [ent.text for ent in nlp("山田花子は東京へ行った。").ents] == ["山田花子", "東京"]


def test_the_files_are_those_of_the_embedded_checkpoints(exported):
    for path, name in zip(exported.values(), ("ja_luke_ner_sm", "ja_luke_sm"), strict=True):
        embedded = Path(spacy_luke_ja.__file__).parent / "pretrained" / name
        # The card is written by hand.
        assert {"README.md", *(file.name for file in path.iterdir())} == {file.name for file in embedded.iterdir()}
