"""What it costs an entity to begin or end inside a token: which entities it moves, where it comes from, that it is kept."""

import json
import shutil

import pytest
import spacy
from spacy.training import Example

TEXT = "山田花子は東京へ。訪日した独伊の首相。"
WHOLE = ["山田花子", "東京"]  # 訪日 and 独伊 are tokens


def texts_of(nlp):
    return [TEXT[start:end] for start, end, *_ in nlp(TEXT)._.luke_entities]


@pytest.fixture
def costly(checkpoints, tmp_path):
    """A checkpoint whose config.json says cut_cost 100."""
    shutil.copytree(checkpoints["luke"], tmp_path / "costly")
    config = json.loads((tmp_path / "costly" / "config.json").read_text())
    (tmp_path / "costly" / "config.json").write_text(json.dumps({**config, "cut_cost": 100}))
    return str(tmp_path / "costly")


@pytest.mark.parametrize("cut_cost", [None, 0.0, 0.01])
def test_a_low_cost_leaves_sure_entities_inside_tokens(make_nlp, cut_cost):
    assert texts_of(make_nlp(cut_cost=cut_cost)) == ["山田花子", "東京", "日", "独", "伊"]


def test_a_high_cost_leaves_none(make_nlp):
    nlp = make_nlp(cut_cost=100.0)
    doc = nlp(TEXT)
    edges = {0, *(token.idx + len(token) for token in nlp.make_doc(TEXT))}
    found = [(span.char_start, span.char_end) for span in doc._.luke_entities]
    assert [TEXT[start:end] for start, end in found][:2] == WHOLE
    assert {edge for span in found for edge in span} <= edges
    assert [token.text for token in doc] == [token.text for token in nlp.make_doc(TEXT)]


def test_the_checkpoints_own_and_the_setting_before_it(make_nlp, costly):
    assert texts_of(make_nlp(costly)) == texts_of(make_nlp(cut_cost=100.0)) != texts_of(make_nlp())
    assert texts_of(make_nlp(costly, cut_cost=0.0)) == texts_of(make_nlp())


def test_it_is_saved(make_nlp, costly, tmp_path):
    own, setting = make_nlp(costly), make_nlp(cut_cost=100.0)
    expected = texts_of(own)
    for name, nlp in (("own", own), ("setting", setting)):
        nlp.to_disk(tmp_path / name)
        assert texts_of(spacy.load(tmp_path / name)) == expected


def test_a_new_classifier_has_none(make_nlp, costly):
    nlp = make_nlp(costly)
    fish = Example.from_dict(nlp.make_doc("鯛を食べた"), {"entities": [(0, 1, "魚")]})
    with pytest.warns(UserWarning, match="are given up"):
        nlp.initialize(lambda: [fish])
    assert nlp.get_pipe("luke_ner").model.attrs["cut_cost"] == 0.0


@pytest.mark.parametrize("value", [-1, "much", None])
def test_what_is_no_cost(make_nlp, costly, tmp_path, value):
    config = json.loads((tmp_path / "costly" / "config.json").read_text())
    (tmp_path / "costly" / "config.json").write_text(json.dumps({**config, "cut_cost": value}))
    with pytest.raises(
        ValueError, match="cut_cost in config.json of the checkpoint .* must be a finite number, 0 or more"
    ):
        make_nlp(costly)(TEXT)
