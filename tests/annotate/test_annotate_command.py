"""python -m spacy luke annotate: exit codes, the page, counts, processes, questions."""

import os
import signal
import subprocess
import sys
import time

import pytest
from spacy.cli import app
from typer.testing import CliRunner

import spacy_luke_ja.cli  # noqa: F401  # which adds the command
from annotate_toys import NAMES, TEXTS, files_in, names_of, read_rows, rejects_of, write_jsonl
from spacy_luke_ja.colors import DISPLACY_COLORS


@pytest.fixture
def command(checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "in.jsonl", [{"id": i, "text": text} for i, text in enumerate(TEXTS)])

    def command(*arguments, code=0, model=checkpoints["luke"]):
        result = CliRunner().invoke(app, ["luke", "annotate", *arguments, "--model", str(model)])
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    return command


def test_all_is_annotated(command):
    output = command("in.jsonl", "out.jsonl")
    assert names_of(read_rows("out.jsonl")) == NAMES and "Wrote 5 records to out.jsonl" in output


def test_rejects_are_in_a_file_and_in_the_exit_code(command, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{\n")
    output = command("bad.jsonl", "in.jsonl", "out.jsonl", code=3)
    assert "1 record could not be annotated" in output and names_of(read_rows("out.jsonl")) == NAMES
    assert rejects_of("out.jsonl")[0]["line"] == 1
    assert f"The first is bad.jsonl, line 1: {rejects_of('out.jsonl')[0]['reason']}" in output


@pytest.mark.parametrize("name, content", [
    ("excel.csv", "番号,text\r\n1,札幌で藤田さんに\r\n"), ("letter.txt", "札幌で藤田さんに会う\n"),
])  # fmt: skip
def test_the_encoding_of_japanese_windows_is_named_at_once(command, tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode("cp932"))
    code = 1 if name == "excel.csv" else 3
    assert "--encoding names another, such as cp932" in command(name, "out.jsonl", code=code)
    command(name, "out.jsonl", "--encoding", "cp932")
    assert not (tmp_path / "out.jsonl.rejects.jsonl").exists()


@pytest.mark.parametrize("name, content", [("a.txt", ""), ("a.csv", "text\n"), ("a.jsonl", "\n"), ("a.json", "[]")])
def test_an_input_without_records_is_warned_of(command, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    output = command(name, "out.jsonl")
    assert "⚠ There are no records in the inputs, and none in out.jsonl" in output and "✔" not in output


def test_one_record_is_one(command, tmp_path):
    write_jsonl(tmp_path / "one.jsonl", [{"text": "大阪"}])
    output = command("one.jsonl", "out.jsonl", "--stats")
    assert "Wrote 1 record to" in output and "1 entity in 1 text of 2 characters" in output
    (tmp_path / "bad.jsonl").write_text('{"text": 1}\n')
    output = command("bad.jsonl", "bad_out.jsonl", code=3)
    assert "Nothing was written to bad_out.jsonl" in output and "1 record could not be annotated" in output


def test_an_error_is_a_message(command, tmp_path):
    assert "there is no file or folder nowhere" in command("nowhere.txt", "out.jsonl", code=1)
    assert files_in(tmp_path) == ["in.jsonl"]


def test_a_component_that_fails_at_a_text(command, tmp_path):
    (tmp_path / "code.py").write_text(
        "import spacy_luke_ja\nfrom spacy.language import Language\n"
        "@Language.component('poison_of_annotate')\n"
        "def fail(doc):\n    if '国会' in doc.text: raise RuntimeError('poisoned')\n    return doc\n"
    )
    import spacy_luke_ja

    nlp = spacy_luke_ja.blank()
    exec(compile((tmp_path / "code.py").read_text(), "code.py", "exec"), {})
    nlp.add_pipe("poison_of_annotate")
    nlp.to_disk(tmp_path / "pipeline")
    command("in.jsonl", "out.jsonl", "--code", "code.py", model="pipeline", code=3)
    (reject,) = rejects_of("out.jsonl")
    assert reject == {
        "file": "in.jsonl",
        "line": 5,
        "reason": "the pipeline failed: RuntimeError: poisoned",
        "id": 4,
    }
    assert [row["id"] for row in read_rows("out.jsonl")] == [0, 1, 2, 3]


def test_the_page_has_a_sample_in_the_colours_of_labels(command, tmp_path):
    command("in.jsonl", "out.jsonl", "--html", "page.html", "--chunk-size", "1")
    page = (tmp_path / "page.html").read_text(encoding="utf8")
    assert page.startswith("<!DOCTYPE html>") and "山田花子" in page and DISPLACY_COLORS["法人名"] in page
    assert '<html lang="ja">' in page and '<meta charset="utf-8">' in page[:200]
    (tmp_path / "thesis.html").write_text("mine")
    assert "is not a page that this program wrote" in command("in.jsonl", "b.jsonl", "--html", "thesis.html", code=1)


def test_a_page_without_entities(command, tmp_path):
    (tmp_path / "a.txt").write_text("何もない\n", encoding="utf8")
    command("a.txt", "out.jsonl", "--html", "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf8")
    assert page.startswith("<!DOCTYPE html>") and '<html lang="ja">' in page and '<meta charset="utf-8">' in page


def test_counts(command):
    output = command("in.jsonl", "out.jsonl", "--stats")
    assert (
        "6 entities in 5 texts of 36 characters" in output
        and "地名 3" in output
        and "大阪 (地名)" in output
        and "characters a second" in output
    )


def test_labels_by_another_map(command):
    command("in.jsonl", "out.jsonl", "--label-map", "ontonotes")
    assert names_of(read_rows("out.jsonl"))[0] == ["山田花子 PERSON", "東京都 GPE"]


def test_threshold_and_min_score(command):
    for option in ("--threshold", "--min-score"):
        command("in.jsonl", f"out{option}.jsonl", option, "1.0")
        scores = [entity["score"] for row in read_rows(f"out{option}.jsonl") for entity in row["entities"]]
        assert all(score == 1.0 for score in scores)


def test_threshold_needs_luke_ner(command, tmp_path):
    import spacy_luke_ja

    spacy_luke_ja.blank().to_disk(tmp_path / "blank")
    output = command("in.jsonl", "out.jsonl", "--threshold", "0.5", model="blank", code=1)
    assert "--threshold is a setting of luke_ner" in output


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet", "out.csv", "out.spacy"])
def test_questions(command, answerers, output):
    pytest.importorskip("pyarrow")
    arguments = ["--qa-question", "誰が？", "--qa-question", "どこへ？", "--chunk-size", "1"]
    command("in.jsonl", output, *arguments, model=answerers["luke"])
    if output == "out.jsonl":
        rows = read_rows(output)
        assert [answer["question"] for answer in rows[0]["answers"]] == ["誰が？", "どこへ？"]
        for row in rows:
            for answer in row["answers"]:
                assert row["text"][answer["start"] : answer["end"]] == answer["text"]
        assert rows[0]["answers"][0]["text"] in ("山田花子", "東京")


@pytest.mark.slow
def test_processes_write_what_one_writes(command):
    command("in.jsonl", "one.jsonl", "--html", "one.html", "--chunk-size", "1")
    command("in.jsonl", "two.jsonl", "--html", "two.html", "--chunk-size", "1", "--n-process", "2")
    assert read_rows("one.jsonl") == read_rows("two.jsonl")
    output = command("in.jsonl", "three.jsonl", "--n-process", "2", model="./nowhere", code=1)
    assert "there is no directory ./nowhere" in output


@pytest.mark.slow
@pytest.mark.parametrize("n_process", [1, 2])
def test_ctrl_c(command, checkpoints, tmp_path, n_process):
    write_jsonl(tmp_path / "in.jsonl", [{"id": i, "text": TEXTS[0] * 5} for i in range(2000)])
    arguments = [sys.executable, "-m", "spacy", "luke", "annotate", "in.jsonl", "out.jsonl", "--chunk-size", "4"]
    arguments += ["--model", str(checkpoints["luke"]), "--n-process", str(n_process)]
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # which a run of the tests in the background ignores
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
    )  # fmt: skip
    while not list(tmp_path.glob("out.jsonl.parts/*.done")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "What is done is in out.jsonl.parts; the same" in output
    assert not (tmp_path / "out.jsonl").exists() and not list(tmp_path.glob("out.jsonl.parts/*.tmp")) or n_process > 1
    for path in sorted((tmp_path / "out.jsonl.parts").glob("*.jsonl")):
        assert names_of(read_rows(path))[0] == NAMES[0] * 5
    assert subprocess.run(arguments).returncode == 0
    assert [row["id"] for row in read_rows("out.jsonl")] == list(range(2000))
