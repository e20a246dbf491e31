"""The mean of several token classifiers' weights."""

import torch
from safetensors.torch import load_file

from scripts.pretraining import finetune
from scripts.pretraining.encoder import load_classifier

TINY = ("--epochs", 1, "--md5", "", "--n-subwords", 256)


def test_the_mean_of_two_seeds_that_begin_alike(work, ner_json, tmp_path, run_stage, monkeypatch):
    begun = []
    make = finetune.new_classifier
    monkeypatch.setattr(finetune, "new_classifier", lambda *args: begun.append(make(*args)) or begun[-1])
    monkeypatch.setattr(finetune, "make_batches", lambda *args: [])  # nothing is learned: how they begin
    monkeypatch.setattr(
        finetune.Training, "run_epoch", lambda self, *args, **settings: vars(self).update(n_epochs=1) or 0
    )
    for seed in (0, 1):
        run_stage("finetune", work / "start", ner_json, tmp_path / str(seed), *TINY, "--seed", seed)
    assert torch.equal(begun[0].last_layer.weight, begun[1].last_layer.weight)
    monkeypatch.undo()
    for seed in (0, 1):
        run_stage("finetune", work / "start", ner_json, tmp_path / f"learned-{seed}", *TINY, "--seed", seed)
    run_stage("average", tmp_path / "learned-0", tmp_path / "learned-1", tmp_path / "mean")
    one, other, mean = (load_file(tmp_path / name / "model.safetensors") for name in ("learned-0", "learned-1", "mean"))
    for name in one:
        torch.testing.assert_close(mean[name], (one[name] + other[name]) / 2)
    assert load_classifier(tmp_path / "mean").last_layer.out_features == 17
