"""An embedded checkpoint becomes one to go on from, and the same again when it is exported."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import spacy_luke_ja
from spacy_luke_ja.models.hf_checkpoint import OWN_KEYS

PRETRAINED = Path(spacy_luke_ja.__file__).parent / "pretrained"


@pytest.mark.parametrize("name, settings", [("ja_luke_sm", ("--window", 32)), ("ja_luke_ner_sm", ())])
def test_unpack_and_export_are_inverse(name, settings, tmp_path, run_stage):
    run_stage("unpack", PRETRAINED / name, tmp_path / "unpacked")
    run_stage("export", tmp_path / "unpacked", tmp_path / "again", *settings)
    before, between, after = (
        json.loads((path / "config.json").read_text(encoding="utf8"))
        for path in (PRETRAINED / name, tmp_path / "unpacked", tmp_path / "again")
    )
    assert not between.keys() & {*OWN_KEYS}
    before.pop("score_temperature", None)  # --calibrate fits it
    assert after == before
    old, new = (load_file(path / "model.safetensors") for path in (PRETRAINED / name, tmp_path / "again"))
    assert old.keys() == new.keys()
    assert all(torch.equal(old[key], new[key]) for key in old if "entity_embeddings" not in key)
