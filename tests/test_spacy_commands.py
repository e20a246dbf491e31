"""spaCy's own commands on a pipeline with luke_ner."""

import io
import json
import shutil
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from typer.testing import CliRunner

import spacy_luke_ja
import toys
from spacy_luke_ja import make_example

ROOT = Path(__file__).parents[1]


@pytest.fixture
def data(tmp_path):
    nlp = spacy_luke_ja.blank()
    docs = [make_example(nlp, text, spans).reference for text, spans in toys.EXAMPLES]
    DocBin(docs=docs).to_disk(tmp_path / "data.spacy")
    return str(tmp_path / "data.spacy")


@pytest.fixture
def pipeline(make_nlp, tmp_path):
    """It finds all entities of toys.EXAMPLES, and some more."""
    make_nlp().to_disk(tmp_path / "pipeline")
    return str(tmp_path / "pipeline")


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", [["evaluate"], ["benchmark", "accuracy"]])
def test_accuracy(command, pipeline, data, tmp_path):
    run(*command, pipeline, data, "--output", str(tmp_path / "scores.json"))
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["char_ents_r"] == 1.0 and scores["ents_r"] == 1.0
    assert set(scores) >= {"char_ents_per_type", "char_ents_macro_f", "char_ents_weighted_f", "char_ents_ece"}
    assert scores["char_ents_per_type"]["地名"]["support"] == 5


def test_speed(pipeline, data):
    assert "Outliers" in run(
        "benchmark", "speed", pipeline, data, "--batches", "30", "--batch-size", "2", "--warmup", "1"
    )


def test_find_threshold(pipeline, data):
    output = run("find-threshold", pipeline, data, "luke_ner", "threshold", "char_ents_f", "-n", "3")
    scores = [line.split()[-1] for line in output.splitlines() if line.strip()[:1].isdigit()]
    assert len(scores) == 3 and scores[0] == scores[1] and float(scores[2]) == 0.0  # no score is as much as 1
    assert "Best threshold: 0" in output


def test_assemble_makes_a_published_checkpoint_a_pipeline(checkpoints, tmp_path):
    for name in ("luke", "xlmr"):
        checkpoint = shutil.copytree(checkpoints[name], tmp_path / name)
        name_setting = [
            "--components.luke_ner.model.name",
            str(checkpoint),
            "--components.luke_ner.model.overlap",
            "16",
        ]
        run("assemble", str(ROOT / "configs" / "luke_ner_published.cfg"), str(tmp_path / "out"), *name_setting)
        shutil.rmtree(checkpoint)
        nlp = spacy.load(tmp_path / "out")
        assert [(ent.text, ent.label_) for ent in nlp("山田花子は東京へ").ents] == [
            ("山田花子", "人名"),
            ("東京", "地名"),
        ]
        shutil.rmtree(tmp_path / "out")


def training_config(checkpoint, data):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoint), "overlap": 8}})
    config = nlp.config.copy()
    corpus = {"@readers": "spacy-luke-ja.EntityCorpus.v1", "path": data}
    config["corpora"] = {"train": corpus, "dev": corpus}
    config["training"].update(max_steps=4, eval_frequency=2)
    return config


def test_init_labels_and_labels_from_a_file(checkpoints, data, tmp_path):
    config = training_config(checkpoints["bare_luke"], data)
    config.to_disk(tmp_path / "config.cfg")
    run("init", "labels", str(tmp_path / "config.cfg"), str(tmp_path / "labels"))
    labels = json.loads((tmp_path / "labels" / "luke_ner.json").read_text())
    assert labels == ["人名", "地名", "政治的組織名", "法人名"]
    reader = {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels" / "luke_ner.json")}
    config["initialize"]["components"] = {"luke_ner": {"labels": reader}}
    assert list(init_nlp(config).get_pipe("luke_ner").labels) == labels


def test_spacy_loggers(checkpoints, data, tmp_path):
    console = {
        "@loggers": "spacy.ConsoleLogger.v3",
        "progress_bar": "train",
        "output_file": str(tmp_path / "log.jsonl"),
    }
    config = training_config(checkpoints["bare_luke"], data)
    config["training"]["logger"] = {
        "@loggers": "spacy.ChainLogger.v1",
        "logger1": console,
        "logger2": {"@loggers": "spacy.LookupLogger.v1", "patterns": ["losses", "score"]},
    }
    (tmp_path / "out").mkdir()
    printed = io.StringIO()
    spacy_train(init_nlp(config), tmp_path / "out", stdout=printed)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    assert "LOSS LUKE_NER" in printed.getvalue() and "CHAR_ENTS_F" in printed.getvalue()
