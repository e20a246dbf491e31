"""The configs are filled, valid, and build what they say."""

import io
from pathlib import Path

import pytest
import spacy
from spacy.cli.debug_config import debug_config
from spacy.cli.init_config import fill_config
from spacy.training.initialize import init_nlp
from spacy.util import load_config, registry
from thinc.api import Config

import toy_corpora
from spacy_luke_ja.training.loop import train

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
        "luke_linker", "luke_qa_sm", "luke_qa_base", "luke_relations", "luke_span_ner", "luke_textcat_sm", "luke_typing_sm",
        "modernbert_ner_base", "tohoku_ner_base",
    }  # fmt: skip


# A reader of the training data → the ending of a file, and what writes a small one.
TOY_DATA = {
    "spacy.Corpus.v1": (".spacy", toy_corpora.write_docs),
    "spacy-luke-ja.EntityCorpus.v1": (".jsonl", toy_corpora.write_entities),
    "spacy-luke-ja.SquadCorpus.v1": (".json", toy_corpora.write_squad),
    "spacy-luke-ja.TypingCorpus.v1": (".jsonl", toy_corpora.write_typed),
    "spacy-luke-ja.LinkingCorpus.v1": (".jsonl", toy_corpora.write_linked),
    "spacy-luke-ja.RelationsCorpus.v1": (".jsonl", toy_corpora.write_related),
    "spacy-luke-ja.TextcatCorpus.v1": (".jsonl", toy_corpora.write_classified),
}


@pytest.mark.slow
def test_it_trains(path, checkpoints, tmp_path):
    """A step on a toy checkpoint, as `spacy luke train` takes it; and the scores that it chooses the best model by."""
    ending, write = TOY_DATA[load_config(path)["corpora"]["train"]["@readers"]]
    data = write(tmp_path / f"data{ending}")
    config = load_config(path, overrides={"paths.train": str(data), "paths.dev": str(data), "training.max_steps": 1})
    for component in config["components"].values():
        if component["model"]["@architectures"].startswith("spacy-luke-ja."):
            toy = "bare_luke" if "luke" in component["model"]["name"] else "xlmr"
            component["model"].update(name=str(checkpoints[toy]), overlap=16)
    if path.stem == "luke_ner_published":
        config["components"]["luke_ner"]["model"]["name"] = str(checkpoints["luke"])
    train(init_nlp(config), tmp_path / "out", stdout=io.StringIO())
    nlp = spacy.load(tmp_path / "out" / "model-best")
    assert nlp.pipe_names == config["nlp"]["pipeline"]
    dev = registry.resolve({"dev": config.interpolate()["corpora"]["dev"]})["dev"]
    scores = nlp.evaluate(list(dev(nlp)))
    assert {name for name, weight in config["training"]["score_weights"].items() if weight} <= scores.keys()
