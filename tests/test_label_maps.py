"""The eight labels in the words of other label sets: in Python, in the setting label_map, and by --label-map."""

import json
from pathlib import Path

import pytest
import spacy
import typer
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

import spacy_luke_ja
import toys
from spacy_luke_ja import get_label_map, make_example, rename_entities, set_annotated_labels
from spacy_luke_ja.annotated_labels import get_annotated_labels
from spacy_luke_ja.cli import app
from spacy_luke_ja.corpora.formats import read_records
from spacy_luke_ja.stockmark_labels import LABEL_MAPS, LABELS

CONFIGS = Path(__file__).parents[1] / "configs"
NAMES = ["ontonotes", "ene", "irex", "conll", "presidio"]
# What each label set has, as far as our eight go.
SETS = {
    "stockmark": set(LABELS),
    "ontonotes": {"PERSON", "ORG", "GPE", "FAC", "PRODUCT", "EVENT"},
    "irex": {"PERSON", "ORGANIZATION", "LOCATION", "ARTIFACT"},
    "conll": {"PER", "ORG", "LOC", "MISC"},
    "presidio": {"PERSON", "ORGANIZATION", "LOCATION", "PRODUCT", "EVENT"},
}


def run(*arguments, code=0):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("name", LABEL_MAPS)
def test_every_map_has_all_eight_labels(name):
    label_map = get_label_map(name)
    assert set(LABELS) <= set(label_map) and all(label_map.values())
    assert {label_map[label] for label in LABELS} <= SETS.get(name, set(label_map.values()))
    label_map.clear()  # a copy
    assert get_label_map(name)


def test_ene_are_labels_of_ginza():
    ginza = pytest.importorskip("ja_ginza", reason="ja_ginza is in the third environment, make test-interop")
    nlp = ginza.load(exclude=["parser", "attribute_ruler", "compound_splitter", "bunsetu_recognizer"])
    assert {get_label_map("ene")[label] for label in LABELS} <= set(nlp.get_pipe("ner").labels)


def test_an_unknown_name_is_an_error_with_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of stockmark, ontonotes, ene, .*presidio, got iob"):
        get_label_map("iob")


@pytest.mark.parametrize("name", NAMES)
def test_the_setting_of_the_component(name, make_nlp):
    nlp = make_nlp("luke", label_map={"@misc": "spacy-luke-ja.label_map.v1", "name": name})
    found = [(ent.text, ent.label_) for ent in nlp("山田花子は東京都の国会で日立製作所と").ents]
    label_map = get_label_map(name)
    gold = {"山田花子": "人名", "東京都": "地名", "国会": "政治的組織名", "日立製作所": "法人名"}
    assert dict(found) == {text: label_map[label] for text, label in gold.items()}


def test_entities_of_any_pipeline_are_renamed():
    doc = Doc(spacy.blank("ja").vocab, words=["山田", "は", "東京", "の", "会社", "へ"])
    doc.set_ents(
        [Span(doc, 0, 1, "人名", kb_id="Q1", span_id="a"), Span(doc, 2, 3, "地名"), Span(doc, 4, 5, "道具")],
        missing=[doc[5:6]],
    )
    renamed = rename_entities(doc, {**get_label_map("conll"), "地名": ""})
    assert renamed is doc
    assert [(ent.text, ent.label_, ent.kb_id_, ent.id_) for ent in doc.ents] == [
        ("山田", "PER", "Q1", "a"),
        ("会社", "道具", "", ""),
    ]
    assert [token.ent_iob_ for token in doc] == ["B", "O", "O", "O", "B", ""]


@pytest.fixture
def pipeline(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


def write_data(path, label_map):
    nlp = spacy_luke_ja.blank()
    docs = []
    for text, spans in toys.EXAMPLES:
        renamed = [(start, end, label_map.get(label, label)) for start, end, label in spans]
        docs.append(make_example(nlp, text, renamed).reference)
        set_annotated_labels(
            docs[-1], [label_map.get(label, label) for label in ("人名", "地名", "法人名", "政治的組織名")]
        )
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gold", ["ours", "theirs"])
def test_evaluate_compares_in_one_label_set(name, gold, pipeline, tmp_path):
    """Whichever of the two names the data has."""
    label_map = get_label_map(name)
    data = write_data(tmp_path / "data.spacy", label_map if gold == "theirs" else {})
    run("evaluate", pipeline, data, tmp_path / "out", "--label-map", name)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf8"))
    assert metrics["characters"]["micro"]["r"] == 1.0 and metrics["tokens"]["micro"]["r"] == 1.0
    assert metrics["calibration"] is not None  # entities keep their scores
    assert metrics["label_map"] == name
    texts = [json.loads(line) for line in (tmp_path / "out" / "texts.jsonl").read_text(encoding="utf8").splitlines()]
    assert {span[2] for text in texts for span in (*text["gold"], *text["found"])} <= set(label_map.values())


def test_compare_passes_it_on(pipeline, tmp_path):
    data = write_data(tmp_path / "data.spacy", get_label_map("irex"))
    arguments = ("compare", data, tmp_path / "out", "--pipeline", f"a={pipeline}", "--runs", 1)
    run(*arguments, "--label-map", "irex")
    (row,) = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf8"))
    assert row["r"] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_convert_writes_other_labels(name, tmp_path):
    label_map = get_label_map(name)
    data = write_data(tmp_path / "data.spacy", {})
    run("convert", data, tmp_path / "out.jsonl", "--label-map", name)
    records = list(read_records(tmp_path / "out.jsonl"))
    assert [record.entities for record in records] == [
        [(start, end, label_map[label]) for start, end, label in spans] for _, spans in toys.EXAMPLES
    ]
    run("convert", data, tmp_path / "out.spacy", "--label-map", name)
    (doc, *_) = DocBin().from_disk(tmp_path / "out.spacy").get_docs(spacy.blank("ja").vocab)
    assert get_annotated_labels(doc) in (
        None,
        {label_map[label] for label in ("人名", "地名", "法人名", "政治的組織名")},
    )


def test_convert_says_which_labels_stay(tmp_path):
    line = {"text": "東京へ金槌", "label": [[0, 2, "地名"], [3, 5, "道具"]]}
    (tmp_path / "data.jsonl").write_text(json.dumps(line, ensure_ascii=False), encoding="utf8")
    printed = run("convert", tmp_path / "data.jsonl", tmp_path / "out.jsonl", "--label-map", "conll")
    assert "--label-map conll does not have the labels 道具; they stay as they are" in printed
    (record,) = read_records(tmp_path / "out.jsonl")
    assert record.entities == [(0, 2, "LOC"), (3, 5, "道具")]


def test_demo_shows_other_labels_and_the_scores(pipeline, tmp_path):
    page = tmp_path / "page.html"
    printed = run("demo", "山田花子は東京都へ", "-m", pipeline, "-o", page, "--label-map", "presidio")
    assert "PERSON" in printed and "LOCATION" in printed and "人名" not in printed and "1.00" in printed
    assert "PERSON" in page.read_text(encoding="utf8") and "人名" not in page.read_text(encoding="utf8")


def write_jsonl(path, records):
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gold", ["ours", "theirs"])
def test_calibrate_and_threshold_compare_in_one_label_set(name, gold, pipeline, tmp_path):
    """Of what the pipeline finds, all but one are right, whichever of the two names the data has."""
    renamed = get_label_map(name) if gold == "theirs" else {}
    text, spans = "山田花子は東京へ、日立製作所へ行った。", [(0, 4, "人名"), (9, 14, "法人名"), (5, 6, "地名")]
    entities = [(start, end, renamed.get(label, label)) for start, end, label in spans]
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": text, "entities": entities}] * 3)
    printed = run("calibrate", pipeline, data, tmp_path / "calibrated", "--label-map", name)
    assert "9 entities found, 6 of them right to the character" in printed
    printed = run("threshold", pipeline, data, tmp_path / "out", "-p", "0.9", "--label-map", name)
    label_map, threshold = get_label_map(name), spacy.load(tmp_path / "out").get_pipe("luke_ner").threshold
    place = label_map["地名"]
    assert f"{place}: no threshold gives a precision of 0.9; 0.000 is the best" in printed
    expected = {label: 1.0 if label_map[label] == place else 0.0 for label in threshold}
    assert dict(threshold) == expected and "人名" not in printed.replace("人名: the texts", "")
    if label_map["政治的組織名"] == label_map["法人名"]:  # they are one, and what is known of one is known of both
        assert "政治的組織名: the texts have none" not in printed


def test_what_a_label_needs_is_measured_on_all_that_become_it(pipeline, tmp_path):
    """政治的組織名 is always wrong, 法人名 right twice as often: as ORG, two in three are right."""
    text = "日立製作所と大阪と国会と日立製作所"
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": text, "entities": [[0, 5, "ORG"], [12, 17, "ORG"]]}])
    for precision, expected in ((0.6, 0.0), (0.9, 1.0)):
        printed = run(
            "threshold", pipeline, data, tmp_path / f"out{precision}", f"-p{precision}", "--label-map=ontonotes"
        )
        threshold = spacy.load(tmp_path / f"out{precision}").get_pipe("luke_ner").threshold
        assert threshold["法人名"] == threshold["政治的組織名"] and (threshold["法人名"] > 0.0) == (expected > 0.0)
        assert "3 of 3" in printed or "0 of 3" in printed


def test_debug_data_counts_other_labels(tmp_path):
    records = [{"text": "国会と日立製作所", "entities": [[0, 2, "政治的組織名"], [3, 8, "法人名"]]}]
    train, dev = (write_jsonl(tmp_path / f"{part}.jsonl", records) for part in ("train", "dev"))
    config = CONFIGS / "luke_ner_sm.cfg"
    printed = run("debug-data", config, "--paths.train", train, "--paths.dev", dev, "--label-map", "conll")
    assert "ORG 2 2" in printed and "法人名" not in printed


def test_export_writes_other_labels(pipeline, tmp_path):
    run("export-hf", pipeline, tmp_path / "out", "--label-map", "ontonotes")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf8"))
    assert {*config["id2label"].values()} == {"O"} | {f"{p}-{label}" for p in "BI" for label in SETS["ontonotes"]}
    assert config["label2id"].keys() == {*config["id2label"].values()}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf8")
    assert "PERSON" in card and "人名" not in card


def test_stockmarks_data_are_converted_with_other_labels(tmp_path):
    items = [
        {"curid": str(i), "text": "東京へ", "entities": [{"name": "東京", "span": [0, 2], "type": "地名"}]}
        for i in range(40)
    ]
    (tmp_path / "ner.json").write_text(json.dumps(items, ensure_ascii=False), encoding="utf8")
    run("convert-stockmark", tmp_path / "ner.json", tmp_path / "out", "--md5=", "--label-map", "irex")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf8"))
    assert all(set(counts) == {"LOCATION"} for counts in report["entities"].values())
    (doc, *_) = DocBin().from_disk(tmp_path / "out" / "test.spacy").get_docs(spacy.blank("ja").vocab)
    assert [ent.label_ for ent in doc.ents] == ["LOCATION"]


# Those that neither show nor compare nor write entities by their labels, or only what another command wrote.
WITHOUT = {"card", "count-aliases", "evaluate-qa", "quantize", "report", "train"}


def test_every_command_that_has_to_do_with_labels_takes_a_map():
    commands = typer.main.get_command(app).commands
    taking = {
        name for name, command in commands.items() if any("--label-map" in param.opts for param in command.params)
    }
    assert taking | WITHOUT == set(commands) and not taking & WITHOUT


@pytest.mark.parametrize("command", [
    "annotate", "calibrate", "compare", "convert", "convert-stockmark", "debug-data", "demo", "evaluate", "export-hf",
    "threshold",
])  # fmt: skip
def test_an_unknown_map_is_refused_before_anything_is_written(command, pipeline, tmp_path):
    data = write_data(tmp_path / "data.spacy", {})
    arguments = {
        "demo": ("東京", "-m", pipeline, "-o", tmp_path / "out"),
        "evaluate": (pipeline, data, tmp_path / "out"),
        "compare": (data, tmp_path / "out", "-p", pipeline),
        "convert": (data, tmp_path / "out.jsonl"),
        "convert-stockmark": (tmp_path / "ner.json", tmp_path / "out"),
        "annotate": (data, tmp_path / "out.jsonl"),
        "calibrate": (pipeline, data, tmp_path / "out"),
        "threshold": (pipeline, data, tmp_path / "out"),
        "export-hf": (pipeline, tmp_path / "out"),
        "debug-data": (CONFIGS / "luke_ner_sm.cfg", "--paths.train", data, "--paths.dev", data),
    }[command]
    printed = run(command, *arguments, "--label-map", "iob", code=1)
    assert "--label-map must be one of stockmark, ontonotes, ene, irex, conll, presidio, got iob" in printed
    assert not list(tmp_path.glob("out*"))
