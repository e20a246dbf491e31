"""The configs are filled, valid, and build what they say."""

from pathlib import Path

import pytest
from spacy.cli.debug_config import debug_config
from spacy.cli.init_config import fill_config
from thinc.api import Config

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.cfg"))
SECTIONS = ["paths", "system", "nlp", "components", "corpora", "training", "pretraining", "initialize"]


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def path(request):
    if "spacy-transformers" in request.param.read_text(encoding="utf8"):
        pytest.importorskip("spacy_transformers")
    return request.param


def test_refilling_changes_nothing(path, tmp_path):
    before, after = fill_config(tmp_path / "filled.cfg", path, silent=True)
    assert before == after == Config().from_disk(path, interpolate=False)


def test_debug_config_passes(path, capsys):
    overrides = {"paths.train": "train.spacy", "paths.dev": "dev.spacy"}
    debug_config(path, overrides=overrides, show_funcs=True)
    assert "Config is valid" in capsys.readouterr().out


def test_sections_stand_in_order_and_no_path_does(path):
    lines = path.read_text(encoding="utf8").splitlines()
    titles = [line.strip("[]").partition(".")[0] for line in lines if line.startswith("[")]
    assert list(dict.fromkeys(titles)) == SECTIONS
    assert titles == sorted(titles, key=SECTIONS.index)
    assert {"train = null", "dev = null"} <= set(lines)
    assert lines[0].startswith("# ")


def test_there_is_one_for_each_architecture_and_size():
    names = {path.stem for path in CONFIGS}
    assert names == {
        "luke_ner_sm", "luke_ner_base", "luke_ner_large", "xlmr_ner_base", "luke_ner_published", "luke_shared", "spacy_ner",
    }  # fmt: skip
