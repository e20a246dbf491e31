"""python -m spacy luke …"""

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


def test_demo_without_entities_and_with_a_wrong_checkpoint(tmp_path):
    path = toys.write_luke(tmp_path / "luke", lexicon=toys.LEXICON, max_length=128)
    output = run("demo", "-o", str(tmp_path / "page.html"), "--model", str(path), "--", "-何もない")
    assert "-何もない\n    no entities" in output and "0 entities in 1 texts" in output
    result = CliRunner().invoke(app, ["luke", "demo", "東京", "--model", "./nowhere"])
    assert result.exit_code == 1 and result.output.strip().splitlines()[-1].startswith(
        "there is no directory ./nowhere"
    )
