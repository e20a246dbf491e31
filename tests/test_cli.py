"""python -m spacy luke …"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from typer.testing import CliRunner

import toys
from spacy_luke_ja.cli.demo import SAMPLES
from spacy_luke_ja.cli.tables import pad, print_table
from spacy_luke_ja.colors import DISPLACY_COLORS


def run(*arguments):
    result = CliRunner().invoke(app, ["luke", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_demo_on_the_samples(tmp_path):
    output = run("demo", "-o", str(tmp_path / "page.html"))
    assert all(sample in output for sample in SAMPLES)
    assert "法人名" in output and "地名" in output
    page = (tmp_path / "page.html").read_text(encoding="utf8")
    assert page.startswith("<!DOCTYPE html>") and DISPLACY_COLORS["地名"] in page


def test_demo_on_a_text(tmp_path):
    path = toys.write_luke(tmp_path / "luke", lexicon=toys.LEXICON, max_length=128)
    output = run("demo", "山田花子は東京都へ", "-o", str(tmp_path / "page.html"), "--model", str(path))
    assert "人名                 0–4" in output and "地名                 5–8" in output
    assert "2 entities in 1 texts" in output and "in float32" in output or "in bfloat16" in output


def test_columns_of_wide_characters():
    assert pad("地名", 6) == "地名  " and pad("ab", 3) == "ab "


def test_columns_stand_under_one_another(capsys):
    print_table(("", "n"), [("地名", 12), ("abc", 3)])
    assert capsys.readouterr().out.splitlines() == ["        n", "----   --", "地名   12", "abc     3"]


def test_the_demo_asks(tmp_path):
    page = str(tmp_path / "page.html")
    output = run("demo", "-o", page)
    assert "夏目漱石が入社した会社はどこですか。" in output and "朝日新聞社\n" in output
    output = run("demo", "本社は横浜市にあります。", "--question", "本社はどこにありますか", "-o", page)
    assert re.search(r"本社はどこにありますか\n +3–6 +[01]\.\d\d +横浜市\n", output)
    assert "本社は" in run("demo", "本社は横浜市にあります。", "-o", page) and "どこ" not in run(
        "demo", "横浜市", "-o", page
    )


def test_demo_without_entities_and_with_a_wrong_checkpoint(tmp_path):
    path = toys.write_luke(tmp_path / "luke", lexicon=toys.LEXICON, max_length=128)
    output = run("demo", "-o", str(tmp_path / "page.html"), "--model", str(path), "--", "-何もない")
    assert "-何もない\n    no entities" in output and "0 entities in 1 texts" in output
    result = CliRunner().invoke(app, ["luke", "demo", "東京", "--model", "./nowhere"])
    assert result.exit_code == 1 and result.output.strip().splitlines()[-1].startswith(
        "there is no directory ./nowhere"
    )


def fail(*arguments):
    result = CliRunner().invoke(app, ["luke", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    return result.output


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--split-mode", "X"], "split_mode must be A, B or C, got X"),
        (["-o", "nowhere/page.html"], "nowhere/page.html cannot be written: there is no directory nowhere"),
        (["-o", "."], ". must be a file to write, and there is a directory (thesis.html)"),
        (["-o", "thesis.html"], "thesis.html is there already, and is not a page that this program wrote"),
        (["-m", "./nowhere"], "there is no directory ./nowhere"),
        (["-m", "thesis.html"], "there is no directory thesis.html"),
        (["-m", "."], "the checkpoint . has no config.json"),
        (["-m", "無い"], "there is no directory 無い"),
    ],
)
def test_a_demo_that_cannot_be_is_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.html").write_text("<h1>Thesis</h1>")
    (line,) = fail("demo", "東京", *arguments).strip().splitlines()
    assert line.startswith(said)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("thesis.html", "<h1>Thesis</h1>")]


def test_demo_with_a_pipeline(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "pipeline")
    ruler = spacy.blank("ja")
    ruler.add_pipe("entity_ruler").add_patterns([{"label": "地名", "pattern": "東京"}])
    ruler.to_disk(tmp_path / "ruler")
    page = str(tmp_path / "page.html")
    for _ in range(2):  # the page of the first is replaced
        assert "人名" in run("demo", "山田花子は東京都へ", "-m", str(tmp_path / "pipeline"), "-o", page)
    assert "地名" in run("demo", "東京へ", "-m", str(tmp_path / "ruler"), "-o", page)
    said = fail("demo", "東京", "-m", tmp_path / "pipeline", "--split-mode", "B", "-o", page)
    assert "is a pipeline, with a tokenizer of its own" in said
    (tmp_path / "run" / "model-best").mkdir(parents=True)
    assert "holds model-best and perhaps model-last: name one of them" in fail(
        "demo", "東京", "-m", tmp_path / "run", "-o", page
    )
    assert "0 entities in 1 texts" in run("demo", "", "-m", str(tmp_path / "ruler"), "-o", page)


CONSOLE = """
import sys
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
import spacy_luke_ja.cli
app(["luke", *sys.argv[1:]])
"""


@pytest.mark.parametrize(
    "encoding, shown",
    [("cp932", "東京と\\U0001f60aへ"), ("ascii", "\\u6771\\u4eac\\u3068"), ("cp932:replace", "東京と?へ")],
)
def test_consoles_that_cannot_show_everything(make_nlp, tmp_path, encoding, shown):
    make_nlp().to_disk(tmp_path / "模型")

    def start(*arguments):
        command = [sys.executable, "-c", CONSOLE, *arguments]
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        result = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True)
        return result.returncode, result.stdout.decode(encoding.partition(":")[0])

    code, printed = start("demo", "東京と😊へ", "-m", "模型", "-o", "頁.html")
    assert code == 0 and shown in printed and ("?" if "replace" in encoding else "-") in printed
    code, printed = start("calibrate", "模型", "無い.jsonl", "模型")  # by wasabi
    assert code == 1 and "模型" in printed or "\\u6a21\\u578b" in printed


@pytest.mark.parametrize("text", ["two\nlines", "", "a 'b' \"c\" $HOME $(x) `d` \\ 東京;", "-m", None])
def test_make_demo_hands_any_text_on(tmp_path, text):
    """By a make whose python only says what it was given."""
    make = shutil.which("make")
    if make is None or sys.platform == "win32":
        pytest.skip("there is no make")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import json, sys; print(json.dumps(sys.argv[1:]))" "$@"\n'
    )
    (tmp_path / "bin" / "python").chmod(0o755)
    (tmp_path / ".installed").write_text("")
    command = [make, "-s", "-o", str(tmp_path / ".installed"), "demo", f"VENV={tmp_path}"]
    command += [] if text is None else [f"TEXT={text}"]
    result = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[4:] == ([] if text is None else ["--", text])
