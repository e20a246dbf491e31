"""No way to run the default model finds other entities in the 1069 test sentences than the plain one."""

from pathlib import Path

import numpy as np
import pytest
import torch

import spacy_luke_ja
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED

DATA = Path(__file__).parents[2] / "shared" / "data" / "stockmark" / "ner.json"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="Stockmark's data does not lie beside the clone"),
]


def entities(texts, change=None, **model):
    nlp = spacy_luke_ja.blank()
    component = nlp.add_pipe("luke_ner", config={"model": model})
    component.load()
    if change is not None:
        change(component._shim)
    return {(i, ent.start_char, ent.end_char, ent.label_) for i, doc in enumerate(nlp.pipe(texts)) for ent in doc.ents}


def run_plainly(shim):
    """LukeForTokenClassification in float32, one window after the other."""
    from transformers import LukeForTokenClassification

    luke = LukeForTokenClassification.from_pretrained(EMBEDDED / "ja_luke_ner_sm").float().eval()

    def infer(batch):
        windows = torch.from_numpy(batch.ids).split(batch.lengths.tolist())
        with torch.inference_mode():
            return np.concatenate([luke(input_ids=window[None]).logits[0].numpy() for window in windows])

    shim.infer_all = lambda batches: list(map(infer, batches))


@pytest.fixture(scope="module")
def texts():
    return [record.text for record in split_records(read_stockmark(DATA))["test"]]


@pytest.fixture(scope="module")
def expected(texts):
    return entities(texts, run_plainly, precision="float32")


@pytest.mark.parametrize("runtime, precision, least_agreement", [
    ("HF", "float32", 1.0), ("HF", "bfloat16", 0.995), ("OpenVINO", "float32", 1.0), ("OpenVINO", "bfloat16", 0.995),
    ("OpenVINO", "int8", 0.99),
])  # fmt: skip
def test_entities(texts, expected, runtime, precision, least_agreement):
    architecture = f"spacy-luke-ja.{runtime}Model.v1"
    found = entities(texts, **{"@architectures": architecture, "precision": precision})
    assert len(expected) > 2500
    assert 2 * len(found & expected) / (len(found) + len(expected)) >= least_agreement
