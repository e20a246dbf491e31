"""project.yml says what is there, and its workflows run from end to end on tiny data."""

import hashlib
import importlib.util
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import srsly
from spacy.training import Example
from thinc.api import Config
from weasel.schemas import ProjectConfigSchema, validate

import spacy_luke_ja
import toy_corpora
import toys

ROOT = Path(__file__).parents[1]
PROJECT = srsly.read_yaml(ROOT / "project.yml")
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}
spec = importlib.util.spec_from_file_location("fetch_qa", ROOT / "scripts" / "project" / "fetch_qa.py")
fetch_qa = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fetch_qa)
BLOCK_NETWORK = "import socket\ndef refuse(*a, **k): raise OSError('no network')\nsocket.socket.connect = refuse\n"


def test_the_file_is_valid_and_misspells_no_key():
    assert validate(ProjectConfigSchema, PROJECT) == []
    known = {"title", "description", "vars", "env", "directories", "assets", "workflows", "commands"}
    assert set(PROJECT) <= known
    for workflow in PROJECT["workflows"].values():
        assert set(workflow) <= set(COMMANDS)
    assert all(command.get("help") for command in COMMANDS.values())


def test_what_commands_depend_on_is_in_the_repository_or_made_by_another():
    made = {output for command in COMMANDS.values() for output in command.get("outputs", [])}
    for command in COMMANDS.values():
        for dependency in command.get("deps", []):
            path = dependency.replace("${vars.config}", PROJECT["vars"]["config"])
            path = path.replace("${vars.qa_config}", PROJECT["vars"]["qa_config"])
            is_outside = dependency.startswith("${vars.corpora}/")  # not part of the repository
            assert dependency in made or path in made or is_outside or (ROOT / path).exists(), dependency


def test_the_page_has_the_section_that_the_project_generates():
    command = [sys.executable, "-m", "spacy", "project", "document", ".", "--no-emoji"]
    document = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    document = document.replace("](project.yml)", "](../project.yml)")
    section = re.compile("<!-- WEASEL: AUTO-GENERATED DOCS START.*AUTO-GENERATED DOCS END[^\n]*", re.DOTALL)
    page = (ROOT / "docs" / "project.md").read_text(encoding="utf8")
    assert section.search(page).group() == section.search(document).group(), "run make docs/project.md"


def fetch(path, capsys, **copies):
    arguments = [part for name, copy in copies.items() for part in (f"--{name.replace('_', '-')}", str(copy))]
    fetch_qa.main([str(path), *arguments])
    return capsys.readouterr().out


def read_articles(path):
    return json.loads(path.read_text(encoding="utf8"))["data"]


@pytest.mark.parametrize("ending", [".json", ".json.xz"])
def test_questions_come_from_copies(tmp_path, capsys, ending):
    content = toy_corpora.write_squad(tmp_path / "data.json").read_bytes()
    copy = tmp_path / f"copy{ending}"
    copy.write_bytes(lzma.compress(content) if ending.endswith("xz") else content)
    copies = {"jaquad_train": copy, "jaquad_dev": copy, "jsquad_valid": copy}
    printed = fetch(tmp_path / "assets", capsys, **copies)
    assert f"wrote {tmp_path / 'assets' / 'jaquad_dev.json'}: 4 articles, 7 questions" in printed
    all_, rest, held_out = (
        read_articles(tmp_path / "assets" / f"{name}.json")
        for name in ("jaquad_dev", "jaquad_train_part", "jaquad_heldout")
    )
    assert all_ == read_articles(tmp_path / "assets" / "jsquad_valid.json") == toy_corpora.squad_articles()
    assert len(held_out) == 1 and len(rest) == 3 and all(article in all_ for article in [*held_out, *rest])
    assert {path.suffix for path in (tmp_path / "assets").iterdir()} == {".json"}
    copy.unlink()
    again = fetch(tmp_path / "assets", capsys, **copies)
    assert f"{tmp_path / 'assets' / 'jaquad_dev.json'}: there already" in again and "wrote" not in again


def test_which_articles_are_held_out_depends_on_titles_alone():
    articles = [{"title": f"第{i}回", "paragraphs": [{"context": str(i), "qas": []}]} for i in range(200)]
    rest, held_out = fetch_qa.hold_out(articles)
    assert len(held_out) == 6 and [*rest, *held_out] != articles
    _, turned = fetch_qa.hold_out(articles[::-1])
    assert turned == held_out[::-1]
    twice = [*articles, *held_out]  # an article in two pieces stays together
    assert fetch_qa.hold_out(twice) == (rest, [*held_out, *held_out])
    with pytest.raises(ValueError, match="at least two titles of articles, got 1"):
        fetch_qa.hold_out(articles[:1])


def open_toys(url, *, timeout):
    """As many questions as there are articles in each part."""
    (n,) = re.findall(r"(\d)\.json$", url)
    return io.BytesIO(json.dumps({"data": toy_corpora.squad_articles()[int(n) : int(n) + 1]}).encode())


def test_questions_are_downloaded_part_by_part():
    articles = toy_corpora.squad_articles()
    source = fetch_qa.Source([f"https://x/part_{i}.json" for i in range(4)], 7)
    assert fetch_qa.download(source, open_toys) == articles
    with pytest.raises(ValueError, match="must have 8 questions, got 7"):
        fetch_qa.download(source._replace(n_questions=8), open_toys)
    for content, said in ((b"404: Not Found", "part_0.json: Extra data"), (b'{"data": [', "part_0.json: Expecting")):
        with pytest.raises(OSError, match=said):
            fetch_qa.download(source, lambda url, timeout, content=content: io.BytesIO(content))


def test_what_is_downloaded_has_the_names_of_the_repositories():
    urls = fetch_qa.SOURCES["jaquad_train"].urls
    assert (urls[0].rpartition("/")[2], urls[-1].rpartition("/")[2]) == (
        "jaquad_train_0000.json",
        "jaquad_train_0029.json",
    )
    assert [url.rpartition("/data/")[2] for url in fetch_qa.SOURCES["jaquad_dev"].urls] == [
        f"dev/jaquad_dev_000{i}.json" for i in range(4)
    ]


def test_without_a_copy_and_without_a_network(tmp_path, capsys):
    with pytest.raises(SystemExit, match="jaquad_train cannot be downloaded: .*\n.*--vars.jaquad_train_copy PATH"):
        fetch(tmp_path / "assets", capsys, jaquad_train=tmp_path / "none.json")
    assert not list((tmp_path / "assets").iterdir())


@pytest.mark.parametrize("content", ["[", "[]", '{"data": [{}]}', '{"data": [{"paragraphs": [{"context": "a"}]}]}'])
def test_a_copy_that_is_no_file_of_questions(tmp_path, capsys, content):
    (tmp_path / "copy.json").write_text(content)
    with pytest.raises(SystemExit, match="copy.json"):
        fetch(tmp_path / "assets", capsys, jaquad_train=tmp_path / "copy.json")
    assert not list((tmp_path / "assets").iterdir())


@pytest.fixture
def project(tmp_path):
    """A copy of the project with tiny data, a tiny config, and few steps."""
    for name in ("project.yml", "configs", "scripts", "data"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "spacy_luke_ja").symlink_to(ROOT / "spacy_luke_ja")
    checkpoint = toys.write_luke(tmp_path / "checkpoint", lexicon=toys.LEXICON, max_length=128)
    tiny = Config().from_disk(ROOT / "configs" / "luke_ner_sm.cfg", interpolate=False)
    tiny["components"]["luke_ner"]["model"]["name"] = str(checkpoint)
    tiny_qa = Config().from_disk(ROOT / "configs" / "luke_qa_sm.cfg", interpolate=False)
    encoder = toys.write_luke(tmp_path / "encoder", task="MaskedLM", tags=["LABEL_0", "LABEL_1"])
    tiny_qa["components"]["luke_qa"]["model"].update(name=str(encoder), overlap=16)
    for name, config in (
        ("tiny", tiny),
        ("tiny_qa", tiny_qa),
        ("spacy_ner", Config().from_disk(ROOT / "configs" / "spacy_ner.cfg", interpolate=False)),
    ):
        config["training"].update(max_steps=4, eval_frequency=2)
        config.to_disk(tmp_path / "configs" / f"{name}.cfg")
    data = json.dumps(toys.stockmark_items(60), ensure_ascii=False).encode()
    (tmp_path / "copy.json").write_bytes(data)
    toy_corpora.write_squad(tmp_path / "questions.json")
    overrides = ["--vars.qa_config", "tiny_qa"]
    for name in ("jaquad_train", "jaquad_dev", "jsquad_valid"):
        overrides += [f"--vars.{name}_copy", "questions.json"]
    overrides += ["--vars.stockmark_md5", hashlib.md5(data).hexdigest(), "--vars.stockmark_copy", "copy.json",
                 "--vars.config", "tiny", "--vars.quickstart_steps", "3", "--vars.compare_runs", "1", "--vars.other", str(checkpoint)]  # fmt: skip

    def run(workflow, *more, fails=False):
        command = [sys.executable, "-m", "spacy", "project", "run", workflow, ".", *overrides, *more]
        result = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
        )
        assert (result.returncode != 0) == fails, result.stdout + result.stderr
        return result.stdout

    run.path = tmp_path
    return run


@pytest.mark.slow
def test_quickstart(project):
    """From the embedded checkpoint, as a user runs it."""
    project("quickstart")
    metrics = json.loads((project.path / "metrics" / "quickstart" / "metrics.json").read_text())
    assert metrics["n_texts"] == 12
    page = (project.path / "metrics" / "quickstart" / "report.html").read_text(encoding="utf8")
    assert "Quickstart on the Stockmark test sentences" in page and "カタカナのテキストです。" in page
    assert "Skipping 'quickstart-train': nothing changed" in project("quickstart")


@pytest.mark.slow
def test_all_then_package_then_compare(project, tmp_path):
    project("all")
    assert (project.path / "metrics" / "tiny" / "report.html").exists()
    assert "begin or end inside a subword" in project("debug")
    project("package")
    (wheel,) = (project.path / "dist-pipelines").rglob("*.whl")
    assert wheel.name == "ja_tiny-0.1.0-py3-none-any.whl"
    card = (project.path / "dist-pipelines" / "ja_tiny-0.1.0" / "README.md").read_text(encoding="utf8")
    assert "CC BY-SA 4.0" in card and "Stockmark Inc." in card and "### Entities on exact characters" in card
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True)
    shutil.rmtree(project.path / "checkpoint")
    code = BLOCK_NETWORK + "import spacy; nlp = spacy.load('ja_tiny'); print(nlp('山田花子').ents, nlp.meta['license'])"
    env = {**os.environ, "PYTHONPATH": str(site)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "(山田花子,) CC BY-SA 4.0"

    toys.write_luke(project.path / "checkpoint", lexicon=toys.LEXICON, max_length=128)
    project("compare")
    rows = json.loads((project.path / "metrics" / "compare" / "compare.json").read_text())
    assert [row["name"] for row in rows][:2] == ["spacy_ner", "tiny"] and len(rows) == 3


@pytest.mark.slow
def test_qa(project):
    project("qa")
    for name in ("jaquad", "jsquad"):
        metrics = json.loads((project.path / "metrics" / "tiny_qa" / name / "metrics.json").read_text(encoding="utf8"))
        assert metrics["all"]["n"] == 7 and metrics["unanswerable"]["n"] == 1
        answers = project.path / "metrics" / "tiny_qa" / name / "answers.jsonl"
        assert len(answers.read_text(encoding="utf8").splitlines()) == 7
    log = (project.path / "training" / "tiny_qa" / "training-log.jsonl").read_text(encoding="utf8").splitlines()
    held_out = json.loads((project.path / "assets" / "jaquad_heldout.json").read_text(encoding="utf8"))["data"]
    assert {json.loads(line)["scores"]["qa_n"] for line in log} == {fetch_qa.count_questions(held_out)}
    assert "Skipping 'train-qa': nothing changed" in project("qa")


@pytest.mark.slow
def test_pretrain(project):
    """From corpora to two checkpoints, outside of the package's own."""
    toy_corpora.write_corpora(project.path / "data", n_sentences=200)
    settings = {"corpora": "data", "n_pieces": 200, "shallow_steps": 3, "pretrain_steps": 3, "grown_layers": "0 1 2 3",
                "teacher_epochs": 20, "student_epochs": 20, "last_epochs": 5, "soft_sentences": 30, "last_soft_sentences": 30, "everyday_epochs": 1, "pattern_texts": 20}  # fmt: skip
    more = [part for name, value in settings.items() for part in (f"--vars.{name}", str(value))]
    assert "best F1" in project("pretrain", *more)
    pipelines = {}
    for name in ("ja_luke_sm", "ja_luke_ner_sm"):
        pipelines[name] = nlp = spacy_luke_ja.blank()
        checkpoint = project.path / "pretraining" / "checkpoints" / name
        nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoint)}})
    text = "山田花子は東京へ行った。"
    assert ("東京", "地名") in [(ent.text, ent.label_) for ent in pipelines["ja_luke_ner_sm"](text).ents]
    encoder = pipelines["ja_luke_sm"]
    examples = [Example.from_dict(encoder.make_doc(text), {"entities": [(0, 4, "人名"), (5, 7, "地名")]})]
    encoder.initialize(lambda: examples)
    assert encoder(text).text == text
    assert "Skipping 'pretrain-encoder': nothing changed" in project("pretrain", *more)
    assert "goes on after step 3" in project("pretrain-encoder", *more, "--vars.pretrain_steps", "4")


@pytest.mark.slow
def test_a_wrong_asset_stops_the_project(project):
    (project.path / "copy.json").write_text("[")
    assert "cut or changed on the way" in " ".join(project("all", fails=True).split())
    assert not (project.path / "corpus" / "train.spacy").exists()
