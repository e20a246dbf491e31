"""The benchmarks of quality count what they say, on checkpoints whose entities can be read off the text."""

import importlib.util
import json
import lzma
from pathlib import Path

import pytest

import spacy_luke_ja
from spacy_luke_ja.evaluation.measures import EvaluatedText
from spacy_luke_ja.evaluation.pipelines import named_pipelines
from spacy_luke_ja.text.decoding import CharSpan

ROOT = Path(__file__).parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


robustness, out_of_domain = load("robustness"), load("out_of_domain")


def table_rows(output):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines() if line.startswith("| ")]


@pytest.fixture
def toy(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "toy")
    return f"toy={tmp_path / 'toy'}"


def test_pipelines_have_names():
    assert named_pipelines(["a=x/y", "z"]) == {"a": "x/y", "z": "z"}
    with pytest.raises(ValueError, match="a name of its own, got a=x, a=y"):
        named_pipelines(["a=x", "a=y"])


def test_each_form_stands_beside_plain(toy, tmp_path, capsys):
    """The lexicon knows 東京 and 日立 in any width, and nothing of ＡＢＣ."""
    texts = [
        {"text": "東京、ｱと日立。", "entities": [[0, 2, "地名"], [5, 7, "法人名"]]},
        {"text": "Abcの人", "entities": [[0, 3, "法人名"]]},
    ]
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(json.dumps(text, ensure_ascii=False) for text in texts), encoding="utf8")
    robustness.main(["-p", toy, "--data", str(path)])
    rows = table_rows(capsys.readouterr().out)
    assert rows[0] == ["form", "texts changed", "toy"]
    assert {form: n for form, n, _ in rows[1:]} == {
        "plain": "0", "full_width": "1", "half_width": "1", "nfd": "0", "upper": "1", "no_final_stop": "1", "no_commas": "1",
        "title": "2", "list": "2",
    }  # fmt: skip
    assert rows[1][2] == "0.800"
    assert {cell for _, _, cell in rows[2:]} == {"0.800 (+0.000)"}


def test_a_form_that_is_read_worse_shows(capsys, monkeypatch):
    """A ruler knows ABC by these characters alone."""
    nlp = spacy_luke_ja.blank()
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "法人名", "pattern": "ABC"}])
    monkeypatch.setattr(robustness, "load_pipeline", lambda path: nlp)
    monkeypatch.setattr(
        robustness, "read_records", lambda path: [robustness.Record("ABCの人", (CharSpan(0, 3, "法人名"),))]
    )
    robustness.main(["-p", "ruler"])
    cells = {form: cell for form, _, cell in table_rows(capsys.readouterr().out)}
    assert cells["plain"] == "1.000" and cells["full_width"] == "0.000 (-1.000)" and cells["upper"] == "1.000 (+0.000)"


WAC = {"PERSON": "PERSON", "LOCATION": "LOCATION", "OPTIONAL": "doubtful"}


@pytest.mark.parametrize(
    "gold, found, expected_gold, expected_found",
    [
        ([(0, 2, "LOCATION")], [(0, 2, "地名")], [(0, 2, "LOCATION")], [(0, 2, "LOCATION")]),
        ([(0, 2, "DATE")], [(0, 2, "製品名")], [], []),  # left out on both sides
        ([(0, 2, "DATE")], [(0, 2, "その他の組織名")], [], [(0, 2, "ORGANIZATION")]),  # and nothing excuses this
        ([(0, 4, "OPTIONAL")], [(3, 6, "人名"), (6, 8, "人名")], [], [(6, 8, "PERSON")]),  # touches what is doubtful
        ([(0, 4, "OPTIONAL"), (2, 4, "PERSON")], [(2, 4, "人名")], [(2, 4, "PERSON")], [(2, 4, "PERSON")]),  # is sure
    ],
)
def test_labels_become_classes(gold, found, expected_gold, expected_found):
    spans = lambda triples: tuple(CharSpan(*triple) for triple in triples)
    merged = out_of_domain.merge_labels(EvaluatedText("東京" * 5, spans(gold), spans(found)), WAC)
    assert (merged.gold, merged.found) == (spans(expected_gold), spans(expected_found))


def test_the_tables_of_other_data(toy, tmp_path, capsys):
    text = "東京と山田花子と国会と大阪"
    spans = [("東京", 0, 2, "GPE"), ("山田花子", 3, 7, "PERSON"), ("国会", 8, 10, "NORP"), ("大阪", 11, 13, "FAC")]
    item = {"text": text, "entities": [{"name": name, "span": [a, b], "type": label} for name, a, b, label in spans]}
    with lzma.open(tmp_path / "gsd_dev.jsonl.xz", "wt", encoding="utf8") as file_:
        file_.write(json.dumps(item, ensure_ascii=False) + "\n")
    out_of_domain.main(["-p", toy, "--data", str(tmp_path)])
    output = capsys.readouterr().out
    assert "## wac_dev\n\nskipped: there is no " in output
    rows = table_rows(output)
    assert ["LOCATION", "GPE 1, LOC 0", "地名 LOCATION LOC GPE"] in rows
    assert ["doubtful", "NORP 1", ""] in rows and ["left out", "FAC 1", "all others"] in rows
    scores = {row[1]: row[2:4] + row[4].split()[:1] + row[5:] for row in rows if row[0] == "toy"}
    assert scores == {
        "PERSON": ["1.000", "1.000", "1.000", "1"],
        "LOCATION": ["0.500", "1.000", "0.667", "1"],
        "ORGANIZATION": ["0.000", "0.000", "0.000", "0"],
        "micro": ["0.667", "1.000", "0.800", "2"],
    }
    assert "Found with labels that are left out: toy none." in output
