"""packages/: each embedded model has a name for spacy.load, and a pipeline of that name is like any other."""

import configparser
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import spacy_luke_ja
from scripts import name_pipelines
from spacy_luke_ja.evaluation.pipelines import load_pipeline
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED

ROOT = Path(__file__).parents[1]
NAMES = name_pipelines.names()
TEXT = "夏目漱石は東京帝国大学で英文学を教えた。㈱日立の山田さん"
needs_install = pytest.mark.skipif(
    not all(spacy.util.is_package(name) for name in NAMES),
    reason="the distributions in packages/ are not installed here; make installs them",
)


def found(nlp):
    return [(ent.text, ent.label_) for ent in nlp(TEXT).ents]


def test_every_embedded_model_but_the_bare_encoder_has_a_name():
    assert NAMES == sorted(path.name for path in EMBEDDED.iterdir() if path.name != "ja_luke_sm")
    assert NAMES == sorted(path.parent.name for path in (ROOT / "packages").glob("*/setup.cfg"))


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_those_that_the_script_writes(name):
    for path, content in name_pipelines.make_package(name).items():
        written = (ROOT / "packages" / name / path).read_text(encoding="utf8")
        assert written == content, f"{path}: run python -m scripts.name_pipelines packages"


@pytest.mark.parametrize("name", NAMES)
def test_meta_and_setup_agree(name):
    setup = configparser.ConfigParser(delimiters=("=",))
    setup.read(ROOT / "packages" / name / "setup.cfg", encoding="utf8")
    meta = json.loads((ROOT / "packages" / name / name / "meta.json").read_text(encoding="utf8"))
    version = spacy_luke_ja.__version__
    assert f"{meta['lang']}_{meta['name']}" == name
    assert setup["metadata"]["version"] == meta["version"] == version
    assert setup["options"]["install_requires"].split() == meta["requirements"] == [f"spacy-luke-ja=={version}"]
    assert spacy.util.is_compatible_version(spacy.__version__, meta["spacy_version"])
    assert sum(path.stat().st_size for path in (ROOT / "packages" / name / name).glob("*.*")) < 20_000  # no weights


@needs_install
@pytest.mark.parametrize("name", NAMES)
def test_a_name_loads_in_a_new_process_that_imports_nothing_of_ours(name, tmp_path):
    code = f"import spacy; nlp = spacy.load({name!r}); print(nlp.pipe_names, nlp.meta['version'])"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith(spacy_luke_ja.__version__)


@needs_install
def test_it_finds_what_the_component_finds():
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner")
    assert found(spacy.load("ja_luke_ner_sm")) == found(nlp) != []


@needs_install
def test_settings_of_load():
    load = lambda **settings: spacy.load("ja_luke_ner_sm", **settings)
    assert load(config={"components": {"luke_ner": {"threshold": 0.5}}}).get_pipe("luke_ner").threshold == 0.5
    assert load(config={"components.luke_ner.model.window": 20}).get_pipe("luke_ner").window == 20
    assert load(config={"nlp.tokenizer.split_mode": "C"}).tokenizer.split_mode == "C"
    assert load(disable="luke_ner").pipe_names == [] and load(disable=["luke_ner"]).disabled == ["luke_ner"]
    assert load(exclude=["luke_ner"]).component_names == []
    vocab = spacy.blank("ja").vocab
    assert load(vocab=vocab).vocab is vocab
    with pytest.raises(ValueError, match="thresold"):
        load(config={"components": {"luke_ner": {"thresold": 0.5}}})


@needs_install
def test_it_is_pickled_saved_and_read(tmp_path):
    nlp = spacy.load("ja_luke_ner_sm")
    expected = found(nlp)
    assert found(pickle.loads(pickle.dumps(spacy.load("ja_luke_ner_sm")))) == expected
    nlp.get_pipe("luke_ner").threshold = 0.01
    nlp.to_disk(tmp_path / "saved")
    assert (tmp_path / "saved" / "luke_ner" / "model" / "model.safetensors").is_file()
    for read in (spacy.load(tmp_path / "saved"), spacy.load("ja_luke_ner_sm").from_disk(tmp_path / "saved")):
        assert found(read) == expected and read.get_pipe("luke_ner").threshold == 0.01
        assert read.meta["name"] == "luke_ner_sm"
    assert found(spacy.load("ja_luke_ner_sm").from_bytes(nlp.to_bytes())) == expected


@needs_install
def test_another_pipeline_takes_its_component():
    nlp = spacy.blank("ja")
    nlp.add_pipe("luke_ner", source=spacy.load("ja_luke_ner_sm"), name="names")
    assert found(nlp) == found(spacy.load("ja_luke_ner_sm"))
    config = {"nlp": {"lang": "ja", "pipeline": ["ner"]}}
    config["components"] = {"ner": {"source": "ja_luke_ner_sm", "component": "luke_ner"}}
    assert found(spacy.util.load_model_from_config(config, auto_fill=True)) == found(nlp)


@needs_install
def test_spacy_commands_know_it(monkeypatch):
    import requests

    table = {"spacy": {spacy.__version__: {}, spacy.about.__version__: {}}}
    answer = type("Answer", (), {"status_code": 200, "json": lambda self: table})
    monkeypatch.setattr(requests, "get", lambda *args, **kwargs: answer())
    validated = CliRunner().invoke(app, ["validate"])
    assert validated.exit_code == 0, validated.output
    for name in NAMES:
        assert name in validated.output.replace("-", "_")
        info = CliRunner().invoke(app, ["info", name])
        assert info.exit_code == 0 and spacy_luke_ja.__version__ in info.output, info.output
    assert set(NAMES) <= set(spacy.util.get_installed_models())


@needs_install
def test_our_commands_take_the_name():
    assert found(load_pipeline("ja_luke_ner_sm")) == found(spacy.load("ja_luke_ner_sm"))


def test_a_new_checkpoint_gets_its_package_by_the_script_alone(tmp_path, monkeypatch):
    """As ja_luke_ner_md and ja_luke_qa_sm will."""
    embedded = tmp_path / "pretrained"
    for name in ("ja_luke_ner_md", "ja_luke_qa_sm"):
        shutil.copytree(EMBEDDED / "ja_luke_ner_sm", embedded / name)
    config = json.loads((embedded / "ja_luke_qa_sm" / "config.json").read_text(encoding="utf8"))
    config["architectures"] = ["LukeForQuestionAnswering"]
    (embedded / "ja_luke_qa_sm" / "config.json").write_text(json.dumps(config), encoding="utf8")
    for module in (name_pipelines, sys.modules["spacy_luke_ja.models.hf_checkpoint"]):
        monkeypatch.setattr(module, "EMBEDDED", embedded)
    name_pipelines.main(tmp_path / "packages")
    monkeypatch.syspath_prepend(str(tmp_path / "packages" / "ja_luke_ner_md"))
    monkeypatch.syspath_prepend(str(tmp_path / "packages" / "ja_luke_qa_sm"))
    import ja_luke_ner_md
    import ja_luke_qa_sm

    assert found(ja_luke_ner_md.load())
    assert ja_luke_qa_sm.load().pipe_names == ["luke_qa"]
