"""`spacy luke count-aliases`: links in, an alias table out."""

import json

import pytest
from typer.testing import CliRunner

from spacy_luke_ja.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["count-aliases", *map(str, arguments)])


@pytest.fixture
def links(tmp_path):
    record = {"text": "東京と大阪", "links": [{"span": [0, 2], "title": "東京都"}, {"span": [3, 5], "title": "大阪市"}]}
    (tmp_path / "links.jsonl").write_text(json.dumps(record), encoding="utf8")
    return tmp_path / "links.jsonl"


def test_files_of_links_become_one_table(links, tmp_path):
    result = run(links, links, tmp_path / "aliases.tsv")
    assert result.exit_code == 0 and "Wrote 2 aliases, 0 of them with several titles" in result.output
    assert (tmp_path / "aliases.tsv").read_text(encoding="utf8") == "大阪\t大阪市\t2\n東京\t東京都\t2\n"


@pytest.mark.parametrize("place", ["links.jsonl", "mine.tsv"])
def test_no_file_that_is_there_is_overwritten(links, tmp_path, place):
    (tmp_path / "mine.tsv").write_text("mine", encoding="utf8")
    before = (tmp_path / place).read_bytes()
    result = run(links, tmp_path / place)
    assert result.exit_code == 1 and (tmp_path / place).read_bytes() == before


def test_bad_records_and_files_without_links_are_named(links, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "東京"}', encoding="utf8")
    result = run(links, bad, tmp_path / "aliases.tsv")
    assert result.exit_code == 1 and "line 1: a record must be" in " ".join(result.output.split())
    assert run(links, bad, tmp_path / "aliases.tsv", "--on-bad-record", "skip").exit_code == 0
    result = run(bad, tmp_path / "none.tsv", "--on-bad-record", "skip")
    assert result.exit_code == 1 and "has no link" in " ".join(result.output.split())
