"""Pretraining goes on after a stop as if there had been none, and learns."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file

from scripts.pretraining.encoder import load_encoder
from scripts.pretraining.pretrain import PretrainingModel, make_batch
from scripts.pretraining.training import learn_rate_share

SETTINGS = ("--n-subwords", 512, "--warmup", 2, "--decay", 4, "--every-ner", 3, "--every-long", 2, "--save-every", 2)


@pytest.fixture
def run(work, run_stage):
    """Run the stage over the toy corpora; the output's weights come back."""

    def call(output, n_steps, source=work, settings=()):
        run_stage("pretrain", source, output, "--n-steps", n_steps, *SETTINGS, *settings)
        return load_file(output / "model.safetensors")

    return call


def assert_equal(weights, expected):
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, expected[name]), name


# (share of the learning rate at steps 0 … of 10, with 4 steps of warm-up, by the number of steps of decay)
@pytest.mark.parametrize("n_decay, shares", [
    (1, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]),
    (4, [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
    (10, [0.25, 0.5, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    (20, [0.25, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05]),
])  # fmt: skip
def test_the_learning_rate_rises_stays_and_falls(n_decay, shares):
    assert [learn_rate_share(step, 10, 4, n_decay) for step in range(10)] == pytest.approx(shares)
    assert learn_rate_share(11, 10, 4, n_decay) == 0


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(run, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", 6)
    calls = []

    def stop_in_step_4(*args, **kwargs):
        calls.append(None)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return make_batch(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("scripts.pretraining.pretrain.make_batch", stop_in_step_4)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "stopped", 6)
    assert torch.load(tmp_path / "stopped" / "state.pt")["done"] == {"step": 4}
    assert_equal(run(tmp_path / "stopped", 6), whole)


def test_a_run_is_lengthened_by_more_steps(run, tmp_path, capsys):
    """From the state before the learning rate fell, to the weights of a run that was meant to be so long."""
    whole = run(tmp_path / "whole", 8, settings=("--decay", 2))
    run(tmp_path / "lengthened", 4, settings=("--decay", 1))
    (tmp_path / "lengthened" / "before-decay.pt").replace(tmp_path / "lengthened" / "state.pt")
    capsys.readouterr()
    assert_equal(run(tmp_path / "lengthened", 8, settings=("--decay", 2)), whole)
    assert "goes on after step 3" in capsys.readouterr().out


def test_a_run_that_is_done_writes_its_encoder_again(run, tmp_path):
    weights = run(tmp_path, 2)
    (tmp_path / "model.safetensors").unlink()
    assert_equal(run(tmp_path, 2), weights)


def test_fewer_steps_than_were_run_are_an_error(run, tmp_path):
    run(tmp_path, 4)
    with pytest.raises(ValueError, match=r"state.pt has 4 steps behind it; --n-steps must be no less, got 2"):
        run(tmp_path, 2)


def test_a_run_on_other_data_does_not_go_on(run, run_stage, work, tmp_path):
    run(tmp_path / "output", 2)
    shutil.copytree(work, tmp_path / "other")
    run_stage("start", tmp_path / "other", tmp_path / "other" / "start", "--n-layers", 1, "--seed", 1)
    with pytest.raises(
        ValueError, match="is of a run with model.safetensors [0-9a-f]+, not .*; remove it to start anew"
    ):
        run(tmp_path / "output", 4, source=tmp_path / "other")


def test_a_run_with_other_settings_does_not_go_on(run, tmp_path):
    run(tmp_path, 2)
    with pytest.raises(ValueError, match="is of a run with mask_share 0.2, not 0.3; remove it to start anew"):
        run(tmp_path, 4, settings=("--mask-share", 0.3))


def test_the_output_is_a_checkpoint_with_the_names_of_the_start(run, work, tmp_path):
    run(tmp_path, 2)
    start, trained = load_encoder(work / "start"), load_encoder(tmp_path)
    assert start.config == trained.config
    moved = [name for name, p in trained.state_dict().items() if not torch.equal(p, start.state_dict()[name])]
    assert "encoder.layer.0.attention.self.query.weight" in moved
    assert (tmp_path / "sentencepiece.bpe.model").read_bytes() == (work / "sentencepiece.bpe.model").read_bytes()


def test_a_target_that_is_not_there_has_no_part_in_the_loss(work):
    labels = json.loads((work / "labels.json").read_text(encoding="utf8"))
    model = PretrainingModel(load_encoder(work / "start"), labels)
    ids = torch.tensor([[0, 5, 6, 2]])
    words = torch.tensor([[-100, 5, -100, -100]])
    one = model(ids, words, {"wac": torch.tensor([[255, 1, 255, 255]])})["wac"]
    logits = model.heads["wac"](model.encoder(ids[0], [4]))[1:2]
    torch.testing.assert_close(one, torch.nn.functional.cross_entropy(logits, torch.tensor([1])))


@pytest.mark.slow
def test_the_losses_fall(run, tmp_path, capsys):
    run(tmp_path, 300, settings=("--decay", 10, "--warmup", 20))
    lines = [dict(re.findall(r"([a-z_]+) ([\d.]+)", line)) for line in capsys.readouterr().out.splitlines()]
    first, *_, last = [line for line in lines if "words" in line]
    for name in ("words", "pos_a", "pos_c", "names", "wac", "gsd"):
        assert float(last[name]) < 0.85 * float(first[name]), name


def test_what_is_left_out_is_not_learned(run, work, tmp_path):
    run(tmp_path, 2, settings=("--leave-out", "names", "wac"))
    state = torch.load(tmp_path / "state.pt")
    learned = {int(i) for i in state["parts"]["optimizer"]["state"]}
    encoder, labels = load_encoder(work / "start"), json.loads((work / "labels.json").read_text(encoding="utf8"))
    model = PretrainingModel(encoder, labels)
    # In the optimizer's order: matrices first, then the rest.
    names = [n for n, p in model.named_parameters() if p.ndim > 1] + [
        n for n, p in model.named_parameters() if p.ndim <= 1
    ]
    unlearned = {name for i, name in enumerate(names) if i not in learned and name.startswith("heads.")}
    assert {name.split(".")[1] for name in unlearned} >= {"names", "wac"}
    assert not any(name.startswith("heads.pos") for name in unlearned)
