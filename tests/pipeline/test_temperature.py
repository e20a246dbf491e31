"""One temperature for all logits: which scores it changes, where it comes from, and that it is kept."""

import json
import shutil

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Example
from spacy.util import load_model_from_config

import spacy_luke_ja
import toys
from spacy_luke_ja import make_example

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"


def spans(nlp):
    return [tuple(span) for span in nlp(TEXT)._.luke_entities]


def places(nlp):
    return [span[:3] for span in spans(nlp)]


def scores(nlp):
    return [span[3] for span in spans(nlp)]


@pytest.fixture(params=["luke", "random_luke"])
def calibrated(request, checkpoints, tmp_path):
    """A checkpoint whose config.json says score_temperature 2.5; random_luke finds entities of any kind."""
    return with_temperature(checkpoints[request.param], tmp_path / "calibrated", 2.5)


def with_temperature(checkpoint, path, temperature):
    shutil.copytree(checkpoint, path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "score_temperature": temperature}))
    return str(path)


@pytest.fixture(params=["luke", "random_luke", "xlmr"])
def nlp(request, make_nlp):
    return make_nlp(request.param, model={"precision": "float32"})


@settings(max_examples=25)
@given(log_temperature=st.floats(-2.5, 2.5))
def test_entities_stay_and_scores_move(request, nlp, log_temperature):
    nlp.get_pipe("luke_ner").temperature = None
    plain = spans(nlp)
    nlp.get_pipe("luke_ner").temperature = temperature = float(np.exp(log_temperature))
    assert places(nlp) == [span[:3] for span in plain]
    moved = [after - before for after, before in zip(scores(nlp), [span[3] for span in plain])]
    if (
        "random_luke" not in request.node.name
    ):  # where each tag is the likeliest of its subword, a higher temperature is less sure
        assert all(np.sign(difference) in (0, np.sign(1 - temperature)) for difference in moved)
    if not 0.99 < temperature < 1.01:
        assert any(moved)


def test_the_setting_reaches_all_that_is_written(make_nlp):
    doc = make_nlp(temperature=4.0)(TEXT)
    plain = make_nlp()(TEXT)
    found = [span.score for span in doc._.luke_entities]
    assert found == [ent._.luke_score for ent in doc.ents]
    assert all(a < b for a, b in zip(found, [span.score for span in plain._.luke_entities]))


def test_the_threshold_is_of_the_calibrated_score(make_nlp):
    assert places(make_nlp(threshold=0.9)) == places(make_nlp())
    assert places(make_nlp(threshold=0.9, temperature=4.0)) == []


def test_the_checkpoints_own_temperature_and_the_setting_before_it(make_nlp, calibrated, tmp_path):
    own, set_to = make_nlp(calibrated), make_nlp(calibrated, temperature=1.0)
    assert own.get_pipe("luke_ner").score_temperature == 2.5 and set_to.get_pipe("luke_ner").score_temperature == 1.0
    (tmp_path / "calibrated" / "config.json").write_text(
        (tmp_path / "calibrated" / "config.json").read_text().replace("2.5", "1")
    )
    plain = make_nlp(calibrated)
    assert spans(set_to) == spans(plain) != spans(own)
    assert places(own) == places(plain)
    assert make_nlp().get_pipe("luke_ner").score_temperature == 1.0


@pytest.mark.parametrize("used_before", [True, False])
def test_the_checkpoints_own_is_saved_with_it(make_nlp, calibrated, tmp_path, used_before):
    expected = spans(make_nlp(calibrated))
    nlp = make_nlp(calibrated)
    if used_before:
        nlp(TEXT)
    nlp.to_disk(tmp_path / "saved")
    from_bytes = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    shutil.rmtree(calibrated)
    nlp = spacy.load(tmp_path / "saved")
    nlp.to_disk(tmp_path / "again")
    for loaded in (from_bytes, nlp, spacy.load(tmp_path / "again")):
        assert loaded.get_pipe("luke_ner").temperature is None and spans(loaded) == expected
    saved = json.loads((tmp_path / "again" / "luke_ner" / "model" / "config.json").read_text())
    assert saved["score_temperature"] == 2.5
    assert spans(make_nlp(str(tmp_path / "again" / "luke_ner" / "model"))) == expected


def test_the_setting_is_saved_with_the_config(make_nlp, calibrated, tmp_path):
    nlp = make_nlp(calibrated, temperature=0.5)
    expected = spans(nlp)
    nlp.to_disk(tmp_path / "saved")
    from_bytes = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    for loaded in (from_bytes, spacy.load(tmp_path / "saved")):
        assert loaded.get_pipe("luke_ner").score_temperature == 0.5 and spans(loaded) == expected
    own = spacy.load(tmp_path / "saved", config={"components.luke_ner.temperature": None})
    assert own.get_pipe("luke_ner").score_temperature == 2.5


def test_a_new_classifier_has_none(make_nlp, calibrated, tmp_path):
    nlp = make_nlp(calibrated)
    fish = Example.from_dict(nlp.make_doc("鯛を食べた"), {"entities": [(0, 1, "魚")]})
    with pytest.warns(UserWarning, match="are given up"):
        nlp.initialize(lambda: [fish])
    nlp.to_disk(tmp_path / "saved")
    for trained in (nlp, spacy.load(tmp_path / "saved")):
        assert trained.get_pipe("luke_ner").score_temperature == 1.0
    assert "score_temperature" not in (tmp_path / "saved" / "luke_ner" / "model" / "config.json").read_text()


def test_a_classifier_that_goes_on_keeps_its_own(make_nlp, calibrated, tmp_path):
    nlp = make_nlp(calibrated)
    nlp.initialize(lambda: [make_example(nlp, text, ents) for text, ents in toys.EXAMPLES])
    nlp.get_pipe("luke_ner").add_label("魚")
    nlp.to_disk(tmp_path / "saved")
    for trained in (nlp, spacy.load(tmp_path / "saved")):
        assert trained.get_pipe("luke_ner").score_temperature == 2.5


def test_training_does_not_see_it(make_nlp, calibrated):
    losses = []
    for temperature in (None, 0.3, 7.0):
        nlp = make_nlp(calibrated, temperature=temperature, model={"precision": "float32"})
        examples = [make_example(nlp, text, ents) for text, ents in toys.EXAMPLES]
        nlp.initialize(lambda examples=examples: examples)
        optimizer = nlp.resume_training()
        losses.append([nlp.update(examples, sgd=optimizer)["luke_ner"] for _ in range(2)])
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "1.5", None, True])
def test_a_checkpoint_with_one_that_cannot_be(make_nlp, checkpoints, tmp_path, temperature):
    path = with_temperature(checkpoints["luke"], tmp_path / "luke", temperature)
    with pytest.raises(
        ValueError,
        match=f"score_temperature in config.json of the checkpoint {path} must be a finite number above 0, got "
        f"{temperature}",
    ):
        make_nlp(path)(TEXT)


def test_the_embedded_checkpoint_round_trips(tmp_path):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner")
    expected = spans(nlp)
    nlp.to_disk(tmp_path)
    assert spans(spacy.load(tmp_path)) == expected
