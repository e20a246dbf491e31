"""An embedded checkpoint becomes one to go on from, and the same again when it is exported."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import spacy_luke_ja

PRETRAINED = Path(spacy_luke_ja.__file__).parent / "pretrained"


@pytest.mark.parametrize("name", ["ja_luke_sm", "ja_luke_ner_sm"])
def test_unpack_and_export_are_inverse(name, tmp_path, run_stage):
    run_stage("unpack", PRETRAINED / name, tmp_path / "unpacked")
    run_stage("export", tmp_path / "unpacked", tmp_path / "again")
    old, new = (load_file(path / "model.safetensors") for path in (PRETRAINED / name, tmp_path / "again"))
    assert old.keys() == new.keys()
    assert all(torch.equal(old[key], new[key]) for key in old if "entity_embeddings" not in key)
