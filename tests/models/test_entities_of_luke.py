"""A LUKE stays one, with all that it knows of entities, where the task needs them; else it is as light as ever."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spacy_luke_ja import LukeNer
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, open_checkpoint
from spacy_luke_ja.models.hf_loader import build_module
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.hf_tensors import read_tensors
from spacy_luke_ja.models.ner import NerTask
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.types import WindowBatch

OF_ENTITIES = ("entity_vocab_size", "entity_emb_size", "use_entity_aware_attention")
BATCH = WindowBatch(np.array([0, 5, 6, 2, 0, 7, 2]), np.array([4, 3]), pad_id=1)


@pytest.mark.parametrize("name", ["random_luke", "luke_bin", "ja_luke_ner_sm"])
def test_the_task_decides_what_is_read(checkpoints, name):
    path = str(checkpoints.get(name, EMBEDDED / name))
    whole, light = open_checkpoint(path, with_entities=True), open_checkpoint(path)
    stored = json.loads(
        ((EMBEDDED / name if name not in checkpoints else checkpoints[name]) / "config.json").read_bytes()
    )
    assert whole.config["model_type"] == stored["model_type"] == "luke" and light.config["model_type"] == "xlm-roberta"
    assert {key: whole.config.get(key) for key in OF_ENTITIES} == {key: stored.get(key) for key in OF_ENTITIES}
    assert not any(key in light.config for key in OF_ENTITIES) and "entity_vocab.json" not in light.files
    names = read_tensors(whole)
    assert "luke.entity_embeddings.entity_embeddings.weight" in names
    assert not any("entity" in name or "2e" in name for name in read_tensors(light))


@pytest.mark.parametrize("name", ["random_luke", "ja_luke_ner_sm"])
def test_it_is_transformers_own_luke(checkpoints, name):
    from transformers import LukeForTokenClassification

    path = checkpoints.get(name, EMBEDDED / name)
    module = build_module(open_checkpoint(str(path), with_entities=True))
    expected = LukeForTokenClassification.from_pretrained(path).float().state_dict()
    found = module.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


def test_it_is_saved_whole(checkpoints, tmp_path):
    source = checkpoints["random_luke"]
    shim = HFShim(ModelSettings(precision="float32"))
    shim.load(open_checkpoint(str(source), with_entities=True))
    shim.save_checkpoint(tmp_path / "saved")
    light = HFShim(ModelSettings(precision="float32"))
    light.load(open_checkpoint(str(source)))
    np.testing.assert_allclose(shim.infer(BATCH), light.infer(BATCH), atol=1e-5)
    before, after = load_file(source / "model.safetensors"), load_file(tmp_path / "saved" / "model.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in after)
    assert {key for key in before if "position_ids" not in key} == set(after)
    assert (tmp_path / "saved" / "entity_vocab.json").read_bytes() == (source / "entity_vocab.json").read_bytes()


class EntityTask(NerTask):
    needs_entities = True


class NerWithEntities(LukeNer):
    task = EntityTask()


@pytest.mark.parametrize("kind", [LukeNer, NerWithEntities])
def test_a_component_keeps_what_its_task_needs(checkpoints, make_nlp, tmp_path, kind):
    nlp = make_nlp("random_luke", model={"precision": "float32"})
    make = lambda: kind(nlp.vocab, make_nlp("random_luke", model={"precision": "float32"}).get_pipe("luke_ner").model)
    pipe, doc = make(), nlp.make_doc("山田花子は東京へ。")
    pipe.to_disk(tmp_path)
    for again in (make().from_disk(tmp_path), make().from_bytes(pipe.to_bytes())):
        checkpoint = again._shim.checkpoint
        assert checkpoint.has_entities == ("entity_vocab.json" in checkpoint.files) == (kind is NerWithEntities)
        assert again.predict([doc]) == pipe.predict([doc])
    names = load_file(tmp_path / "model" / "model.safetensors")
    assert any("entity" in name for name in names) == (kind is NerWithEntities)
