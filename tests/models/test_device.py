"""Where a model runs is settled when it is made, by the setting device or by spaCy; and what a fork does to threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

import spacy_luke_ja
from spacy_luke_ja.models import devices
from spacy_luke_ja.models.devices import choose_device
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.types import WindowBatch

BATCH = WindowBatch(np.array([0, 5, 6, 2]), np.array([4]), 1)


def test_auto_is_what_spacy_used_when_the_component_was_made(make_nlp, monkeypatch):
    """thinc's ops are a context variable: another thread has others."""
    asked = []
    monkeypatch.setattr(
        devices, "get_torch_default_device", lambda: asked.append(threading.get_ident()) or torch.device("cpu")
    )
    nlp = make_nlp()
    worker = threading.Thread(target=nlp, args=("東京",))
    worker.start()
    worker.join()
    assert nlp.get_pipe("luke_ner")._is_loaded and set(asked) == {threading.get_ident()}


@pytest.mark.parametrize("device", ["cpu", "cpu:0", "auto"])
def test_the_setting(make_nlp, device):
    nlp = make_nlp(model={"device": device})
    assert [ent.text for ent in nlp("東京").ents] == ["東京"]
    assert nlp.get_pipe("luke_ner")._shim.device == torch.device("cpu")
    assert nlp.config["components"]["luke_ner"]["model"]["device"] == device


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "meta", "banana"])
def test_what_is_no_device(make_nlp, device):
    with pytest.raises(ValueError, match="device must be"):
        make_nlp(model={"device": device})
    with pytest.raises(ValueError, match="device must be"):
        choose_device(0.5)


@pytest.mark.parametrize("device", ["cuda:99", "mps:99", "xpu:99"])
def test_a_device_that_is_not_there(make_nlp, device):
    """Only the weights need it: the pipeline can be made, and its config be read."""
    nlp = make_nlp(model={"device": device})
    with pytest.raises(ValueError, match=f'device is {device}, and PyTorch finds .* set device to "auto" or "cpu"'):
        nlp("東京")


def test_a_question_answerer_has_it_too(answerers):
    qa = spacy_luke_ja.blank().add_pipe("luke_qa", config={"model": {"name": str(answerers["luke"]), "device": "cpu"}})
    qa.load()
    assert qa._shim.device == torch.device("cpu")


def test_models_move_before_and_after_they_are_loaded(make_nlp):
    nlp = make_nlp()
    model = nlp.get_pipe("luke_ner").model
    model.to_cpu()
    shim = nlp.get_pipe("luke_ner")._shim
    shim.to_device("gpu", 1)  # as model.to_gpu(1), which needs CuPy
    assert shim.device == torch.device("cuda:1")
    model.to_cpu()
    assert [ent.text for ent in nlp("東京").ents] == ["東京"]
    model.to_cpu()
    assert shim.device == torch.device("cpu") and [ent.text for ent in nlp("大阪").ents] == ["大阪"]


def test_the_gpu_that_is_waited_for_is_the_models(make_nlp, monkeypatch):
    shim = make_nlp().get_pipe("luke_ner")._shim
    waited = []
    shim._model = torch.nn.Linear(1, 1).eval()
    monkeypatch.setattr(HFShim, "device", property(lambda self: torch.device("cuda:1")))
    monkeypatch.setattr(HFShim, "_forward", lambda self, batch: torch.zeros(4, 3))
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    shim.infer_all([BATCH, BATCH])
    assert waited == [torch.device("cuda:1")]


FORK = """
import os, sys, torch, spacy_luke_ja
torch.set_num_threads(2)
torch.ones(2000, 2000) @ torch.ones(2000, 2000)
nlp = spacy_luke_ja.blank()
nlp.add_pipe("luke_ner")
if {used}:
    nlp("東京へ行った。")
if os.fork() == 0:
    {child}
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) or torch.get_num_threads() != 2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize(
    "child",
    [
        "assert torch.get_num_threads() == 2",  # no business of ours
        "assert len(nlp('東京へ行った。').ents) == 1 and torch.get_num_threads() == 1",
        "own = spacy_luke_ja.blank(); own.add_pipe('luke_ner'); assert torch.get_num_threads() == 2",
    ],
)
def test_forked_processes(used, child):
    code = FORK.format(used=used, child=child)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "2"})
