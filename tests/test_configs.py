"""The configs are filled, valid, and build what they say."""

import io
import json
from pathlib import Path

import pytest
import spacy
from spacy.cli.debug_config import debug_config
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from thinc.api import Config

import spacy_luke_ja
import toy_corpora
import toys
from spacy_luke_ja import make_example
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


@pytest.mark.slow
def test_it_trains(path, checkpoints, tmp_path):
    """A step on a toy checkpoint, as `spacy luke train` takes it."""
    data = tmp_path / "data.jsonl"
    lines = [json.dumps({"text": text, "entities": spans}, ensure_ascii=False) for text, spans in toys.EXAMPLES]
    data.write_text("\n".join(lines), encoding="utf8")
    if "spacy.Corpus.v1" in path.read_text(encoding="utf8"):
        nlp = spacy_luke_ja.blank()
        docs = [make_example(nlp, text, spans).reference for text, spans in toys.EXAMPLES]
        data = tmp_path / "data.spacy"
        DocBin(docs=docs).to_disk(data)
    if "SquadCorpus" in path.read_text(encoding="utf8"):
        data = toy_corpora.write_squad(tmp_path / "data.json")
    if "TypingCorpus" in path.read_text(encoding="utf8"):
        data = toy_corpora.write_typed(tmp_path / "data.jsonl")
    if "LinkingCorpus" in path.read_text(encoding="utf8"):
        data = toy_corpora.write_linked(tmp_path / "data.jsonl")
    if "RelationsCorpus" in path.read_text(encoding="utf8"):
        data = toy_corpora.write_related(tmp_path / "data.jsonl")
    if "TextcatCorpus" in path.read_text(encoding="utf8"):
        data.write_text('{"text": "山田花子。", "label": "人"}\n{"text": "東京都。", "label": "地"}', encoding="utf8")
    config = load_config(path, overrides={"paths.train": str(data), "paths.dev": str(data), "training.max_steps": 1})
    for component in config["components"].values():
        if component["model"]["@architectures"].startswith("spacy-luke-ja."):
            toy = "bare_luke" if "luke" in component["model"]["name"] else "xlmr"
            component["model"].update(name=str(checkpoints[toy]), overlap=16)
    if path.stem == "luke_ner_published":
        config["components"]["luke_ner"]["model"]["name"] = str(checkpoints["luke"])
    train(init_nlp(config), tmp_path / "out", stdout=io.StringIO())
    if "luke_qa" in config["components"]:
        nlp = spacy.load(tmp_path / "out" / "model-best")
        assert nlp.get_pipe("luke_qa").ask(nlp("山田花子は東京へ行った。"), "誰が行きましたか。")
        return
    for name in {"luke_entity_typing", "luke_linker", "luke_relations"} & config["components"].keys():
        assert name in spacy.load(tmp_path / "out" / "model-best").pipe_names
        return
    doc = spacy.load(tmp_path / "out" / "model-best")("山田花子は東京へ行った。")
    assert doc.has_annotation("ENT_IOB") or set(doc.cats) == {"人", "地"}
