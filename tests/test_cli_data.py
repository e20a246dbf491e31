"""python -m spacy luke convert-stockmark, convert, debug-data, evaluate, calibrate, threshold, compare, card, train."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from thinc.api import Config
from typer.testing import CliRunner

import spacy_luke_ja
import spacy_luke_ja.cli  # the commands
import toys
from spacy_luke_ja.corpora.ner import create_entity_corpus
from spacy_luke_ja.evaluation.pipelines import fingerprint
from spacy_luke_ja.evaluation.texts import read_texts


def run(*arguments, fails=False):
    result = CliRunner().invoke(app, ["luke", *map(str, arguments)])
    assert result.exit_code == int(fails), result.output
    return " ".join(result.output.split())  # wasabi wraps lines


@pytest.fixture
def ner_json(tmp_path):
    path = tmp_path / "ner.json"
    path.write_text(json.dumps(toys.stockmark_items(60), ensure_ascii=False))
    return path


@pytest.fixture
def corpus(ner_json, tmp_path):
    run("convert-stockmark", ner_json, tmp_path / "corpus", "--md5", "")
    return tmp_path / "corpus"


@pytest.fixture
def pipeline(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


def test_convert_stockmark(ner_json, tmp_path):
    output = run("convert-stockmark", ner_json, tmp_path / "corpus", "--md5", "")
    report = json.loads((tmp_path / "corpus" / "report.json").read_text())
    assert report["sentences"]["test"] == 12 and report["shared_pages"] == {}
    assert "not whole tokens, split mode A" in output and "日 in 訪日" in output
    cut = [cut for part in report["cut_by_tokens"]["C"].values() for cut in part]
    assert {"text": "訪日した独伊の首相。", "entity": [1, 2, "地名"], "tokens": "訪日"} in cut
    nlp = spacy_luke_ja.blank()
    for part, n in report["sentences"].items():
        docs = list(DocBin().from_disk(tmp_path / "corpus" / f"{part}.spacy").get_docs(nlp.vocab))
        assert len(docs) == n
        assert sum(len(doc.ents) for doc in docs) == sum(report["entities"][part].values())


@pytest.mark.parametrize(
    "content, said",
    [
        ('[{"curid": "1", "te', "cut or changed on the way: its MD5 is"),
        ("{}", "cut or changed on the way"),
    ],
)
def test_a_damaged_asset_is_refused(tmp_path, content, said):
    (tmp_path / "ner.json").write_text(content)
    assert said in run("convert-stockmark", tmp_path / "ner.json", tmp_path / "corpus", fails=True)
    assert not (tmp_path / "corpus").exists()


def test_a_file_that_is_no_ner_json_or_too_small(tmp_path):
    for content, said in (('[{"text": 1}]', "no ner.json"), ("[]", "too few sentences"), ('{"a": 1}', "no ner.json")):
        (tmp_path / "ner.json").write_text(content)
        assert said in run("convert-stockmark", tmp_path / "ner.json", tmp_path / "x", "--md5", "", fails=True)
    assert "No such file" in run("convert-stockmark", tmp_path / "none.json", tmp_path / "x", fails=True)


def test_convert_own_data(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "鯛と鰯", "entities": [[0, 1, "魚"]]}\n{"text": "鯛", "entities": [[0, 9, "魚"]]}\n')
    assert "data.jsonl, line 2: the entity 0–9 魚 is not within" in run(
        "convert", path, tmp_path / "x.spacy", fails=True
    )
    assert not (tmp_path / "x.spacy").exists()
    assert "the name must end in .jsonl, .json," in run("convert", path, tmp_path / "x.csv", fails=True)
    DocBin(docs=[]).to_disk(tmp_path / "same.spacy")
    assert "would be overwritten" in run("convert", tmp_path / "same.spacy", tmp_path / "same.spacy", fails=True)
    output = run("convert", path, tmp_path / "x.spacy", "--on-bad-record", "skip")
    assert "1 of 2 records were skipped" in output and "Wrote 1 texts with 1 entities" in output
    (doc,) = DocBin().from_disk(tmp_path / "x.spacy").get_docs(spacy.blank("ja").vocab)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("鯛", "魚")]


def test_convert_to_the_formats_of_other_tools(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "鯛と鰯", "entities": [[0, 1, "魚"], [2, 3, "魚"]]}', encoding="utf8")
    assert "Wrote 1 texts with 2 entities" in run("convert", path, tmp_path / "x.conll")
    assert (tmp_path / "x.conll").read_text(encoding="utf8") == "鯛\tB-魚\nと\tO\n鰯\tB-魚\n\n"
    run("convert", tmp_path / "x.conll", tmp_path / "x.json", "--to", "label-studio")
    (task,) = json.loads((tmp_path / "x.json").read_text(encoding="utf8"))
    assert task["annotations"][0]["result"][1]["value"] == {"start": 2, "end": 3, "text": "鰯", "labels": ["魚"]}
    run("convert", tmp_path / "x.json", tmp_path / "x.spacy.gz")
    run("convert", tmp_path / "x.spacy.gz", tmp_path / "y.jsonl")
    assert json.loads((tmp_path / "y.jsonl").read_text(encoding="utf8")) == json.loads(path.read_text(encoding="utf8"))
    assert "y.jsonl is there already" in run("convert", path, tmp_path / "y.jsonl", fails=True)
    assert "data.jsonl would be overwritten" in run("convert", path, path, fails=True)
    assert "--to must be one of jsonl, doccano," in run(
        "convert", path, tmp_path / "z.jsonl", "--to", "brat", fails=True
    )
    assert "z.conll: the name must end in" in run("convert", path, tmp_path / "z.conll", "--to", "prodigy", fails=True)
    assert "text 1, '鯛と鰯', cannot be written" not in run("convert", path, tmp_path / "z.iob", "--to", "pipes")
    assert (tmp_path / "z.iob").read_text(encoding="utf8") == "鯛|B-魚 と|O 鰯|B-魚\n"


@pytest.fixture
def config(checkpoints, tmp_path):
    def write(train, dev, **settings):
        nlp = spacy_luke_ja.blank()
        nlp.add_pipe(
            "luke_ner", config={"model": {"name": str(checkpoints["bare_luke"]), "overlap": 8}, "tags": ["O", "地名"]}
        )
        made = nlp.config.copy()
        for part, path in (("train", train), ("dev", dev)):
            made["corpora"][part] = {"@readers": "spacy-luke-ja.EntityCorpus.v1", "path": str(path)}
        made["training"].update(settings)
        made.to_disk(tmp_path / "config.cfg")
        return tmp_path / "config.cfg"

    return write


@pytest.mark.parametrize(
    "factory, reader, train, dev, said",
    [
        (
            "luke_textcat", "TextcatCorpus",
            {"text": "良い", "cats": {"好": 1, "嫌": 0}}, {"text": "酷い", "cats": {"好": 0, "怒": 1}}, ["好", "怒"],
        ),
        (
            "luke_entity_typing", "TypingCorpus",
            {"text": "東京", "spans": [{"start": 0, "end": 2, "types": ["都市", "場所"]}]},
            {"text": "大阪", "spans": [{"start": 0, "end": 2, "types": ["府"]}]}, ["都市", "場所", "府"],
        ),
        (
            "luke_linker", "LinkingCorpus",
            {"text": "東京", "links": [{"span": [0, 2], "title": "東京都"}]},
            {"text": "大阪", "links": [{"span": [0, 2], "title": None}]}, ["a title", "NIL"],
        ),
    ],
)  # fmt: skip
def test_debug_data_counts_what_other_components_learn(factory, reader, train, dev, said, tmp_path):
    made = spacy_luke_ja.blank().config.copy()
    for part, record in (("train", train), ("dev", dev)):
        path = tmp_path / f"{part}.jsonl"
        path.write_text(json.dumps(record, ensure_ascii=False), encoding="utf8")
        made["corpora"][part] = {"@readers": f"spacy-luke-ja.{reader}.v1", "path": str(path)}
    made["nlp"]["pipeline"] = [factory]
    made["components"][factory] = {"factory": factory}
    made.to_disk(tmp_path / "config.cfg")
    output = run("debug-data", tmp_path / "config.cfg")
    assert f"What {factory} learns" in output and "an entity" not in output
    assert all(label in output for label in said)
    assert f"dev has labels that train lacks, so they cannot be learned: {said[-1]}" in output


def test_debug_data(config, checkpoints, tmp_path):
    def write(name, *items):
        lines = (json.dumps({"text": text, "entities": spans}, ensure_ascii=False) for text, spans in items)
        (tmp_path / name).write_text("\n".join(lines))
        return tmp_path / name

    train = write("train.jsonl", *toys.EXAMPLES, ("大阪", [[0, 2, "地名"]]))
    dev = write("dev.jsonl", ("大 阪", [[0, 3, "地名"]]), ("𠮷野家の東京", [[0, 3, "店"], [4, 5, "地名"]]))
    output = run("debug-data", config(train, dev))
    assert "dev has labels that train lacks, so they cannot be learned: 店" in output
    assert "labels with fewer than 50 entities in train" in output
    assert "train: 3 of 9 (33.33%) of the entities are not whole tokens: 地名 日 in 訪日; 地名 独 in 独伊" in output
    # It shows the data as it is written, whatever the augmenter of the training.
    augmented = Config().from_disk(config(train, dev))
    augmented["corpora"]["train"]["augmenter"] = {
        "@augmenters": "spacy-luke-ja.NoisyText.v1", "level": 1.0, "forms": {"title": 1.0}
    }  # fmt: skip
    augmented.to_disk(tmp_path / "augmented.cfg")
    assert run("debug-data", tmp_path / "augmented.cfg") == output
    # Nor does it matter what subwords a component before the luke_ner has.
    model = {"@architectures": "spacy-luke-ja.HFModel.v1", "name": str(checkpoints["character_bert"])}
    behind = Config().from_disk(config(train, dev))
    behind["nlp"]["pipeline"].insert(0, "luke_textcat")
    behind["components"]["luke_textcat"] = {"factory": "luke_textcat", "model": model}
    behind.to_disk(tmp_path / "behind.cfg")
    assert run("debug-data", tmp_path / "behind.cfg") == output
    assert "entities begin or end inside a subword" in output and "地名 東 in 東京" in output
    assert "𠮷野家 (1)" in output and "characters each; per text" in output
    assert "1 texts stand in train and dev" in output
    (tmp_path / "broken.spacy").write_bytes(b"xx")
    assert "broken.spacy is damaged, or no DocBin" in run(
        "debug-data", config(tmp_path / "broken.spacy", dev), fails=True
    )
    empty = write("empty.jsonl")
    assert "train is empty" in run("debug-data", config(empty, dev), fails=True)
    bare = write("bare.jsonl", ("何もない", []))
    assert "no text of train has an entity" in run("debug-data", config(bare, dev), fails=True)
    bad = write("bad.jsonl", ("大阪", [[0, 2, "地名"], [1, 2, "地名"]]))
    with open(bad, "a") as file_:
        file_.write('\n{"text": 1, "entities": []}\n{"text": "大阪 ", "entities": [[0, 2, "地名 "]]}\n')
        file_.write('{"text": "大阪 ", "entities": []}\n{"text": " ", "entities": []}')
    output = run("debug-data", config(bad, dev), fails=True)
    assert "2 records of" in output and "line 1: the entities 0–2 地名 and 1–2 地名 overlap" in output
    assert "line 2: the text must be a string, got 1" in output
    assert "which make other labels: '地名 '" in output and "1 texts are blank" in output
    assert "1 of them have other entities each time" in output


def test_evaluate(pipeline, corpus, tmp_path):
    output = run("evaluate", pipeline, corpus / "test.spacy", tmp_path / "metrics")
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    assert metrics["n_texts"] == 12 and metrics["characters"]["micro"]["r"] == 1.0
    assert metrics["characters"]["micro"]["f"] == metrics["seqeval"]["micro"]["f"]
    assert metrics["size"] > 10_000 and metrics["errors"]["missed"] == 0
    assert "micro avg" in output and "weighted avg" in output and "Expected calibration error" in output
    texts = read_texts(tmp_path / "metrics" / "texts.jsonl")
    assert len(texts) == 12 and sum(len(text.gold) for text in texts) == metrics["n_entities"]
    assert all(text.text[span.char_start : span.char_end] for text in texts for span in text.found)


def test_evaluate_a_checkpoint_and_a_pipeline_of_spacy(checkpoints, corpus, tmp_path):
    long_checkpoint = toys.write_luke(tmp_path / "luke", lexicon=toys.LEXICON, max_length=128)
    run("evaluate", long_checkpoint, corpus / "dev.spacy", tmp_path / "a")
    nlp = spacy.blank("ja")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "地名", "pattern": "大阪"}])
    nlp.to_disk(tmp_path / "ruler")
    run("evaluate", tmp_path / "ruler", corpus / "dev.spacy", tmp_path / "b")
    metrics = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert metrics["calibration"] is None and metrics["seqeval"] is None and metrics["characters"]["micro"]["p"] == 1.0
    (tmp_path / "out" / "model-best").mkdir(parents=True)
    assert "holds model-best" in run("evaluate", tmp_path / "out", corpus / "dev.spacy", tmp_path / "c", fails=True)
    (tmp_path / "fish.jsonl").write_text('{"text": "大阪の鯛", "entities": [[3, 4, "魚"]]}')
    assert "No label of the pipeline stands in the data: it finds 地名, the data has 魚" in run(
        "evaluate", tmp_path / "ruler", tmp_path / "fish.jsonl", tmp_path / "c"
    )
    spacy.blank("ja").to_disk(tmp_path / "blank")
    assert "found no entity; its components are none" in run(
        "evaluate", tmp_path / "blank", corpus / "dev.spacy", tmp_path / "c"
    )
    assert "no directory ./nowhere" in run("evaluate", "./nowhere", corpus / "dev.spacy", tmp_path / "c", fails=True)
    assert "no file" in run("evaluate", tmp_path / "ruler", corpus / "none.spacy", tmp_path / "c", fails=True)
    (tmp_path / "bare.jsonl").write_text('{"text": "何もない", "entities": []}')
    assert "tokens" in run("evaluate", tmp_path / "ruler", tmp_path / "bare.jsonl", tmp_path / "d")
    (tmp_path / "file").write_text("")
    said = run("evaluate", tmp_path / "ruler", corpus / "dev.spacy", tmp_path / "file", fails=True)
    assert "file must be a directory to write metrics.json and texts.jsonl to; there is a file" in said
    DocBin(docs=[]).to_disk(tmp_path / "empty.spacy")
    assert "the data is empty" in run(
        "evaluate", tmp_path / "ruler", tmp_path / "empty.spacy", tmp_path / "c", fails=True
    )


@pytest.mark.slow
def test_compare(pipeline, corpus, tmp_path):
    nlp = spacy.blank("ja")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "人名", "pattern": "山田"}])
    nlp.to_disk(tmp_path / "ruler")
    data, output = corpus / "test.spacy", tmp_path / "compare"
    names = ["-p", f"ruler={tmp_path / 'ruler'}", "-p", f"luke={pipeline}"]
    printed = run("compare", data, output, *names, "--runs", "1", "--cards")
    rows = json.loads((output / "compare.json").read_text())
    assert [row["name"] for row in rows] == ["ruler", "luke"] and rows[0]["against_first"] is None
    assert rows[1]["f"] - rows[0]["f"] == pytest.approx(rows[1]["against_first"]["difference"])
    assert all(row["texts_per_second"] > 0 and row["size"] > 0 and row["peak_memory"] > 1e7 for row in rows)
    assert "Read from the published cards, not measured here" in printed and "| ruler | 0.000" in printed
    assert "each pipeline must have a name of its own" in run(
        "compare", data, output, "-p", "a=x", "-p", "a=y", fails=True
    )
    assert "x cannot be evaluated" in run("compare", data, output, "-p", "x=./nowhere", fails=True)


def test_card(pipeline, corpus, tmp_path):
    run("evaluate", pipeline, corpus / "test.spacy", tmp_path / "metrics")
    description = {"description": "Names.", "license": "CC BY-SA 4.0", "sources": [{"name": "Data"}], "notes": "Small."}
    (tmp_path / "describe.json").write_text(json.dumps(description))
    metrics = tmp_path / "metrics" / "metrics.json"
    run("card", pipeline, metrics, tmp_path / "card" / "meta.json", "--meta", tmp_path / "describe.json")
    meta = json.loads((tmp_path / "card" / "meta.json").read_text())
    assert meta["license"] == "CC BY-SA 4.0" and meta["pipeline"] == ["luke_ner"]
    assert meta["performance"]["char_ents_r"] == 1.0
    assert (
        meta["notes"].startswith("Small.\n\nScores of entities (luke_ner) are not calibrated.\n\n###")
        and "| 人名 | " in meta["notes"]
    )
    assert meta["sources"][0] == {"name": "Data"} and "training started from" in meta["sources"][1]["name"]
    config = Config().from_disk(pipeline / "config.cfg", interpolate=False)
    config["components"]["luke_ner"]["model"]["name"] = "../nowhere/luke"
    config["components"]["bare"] = {"factory": "sentencizer", "model": None}
    config.to_disk(pipeline / "config.cfg")
    content = json.loads(metrics.read_text())
    content["pipeline"]["fingerprint"] = fingerprint(pipeline)
    metrics.write_text(json.dumps(content))
    run("card", pipeline, metrics, tmp_path / "gone.json", "--meta", tmp_path / "describe.json")
    assert json.loads((tmp_path / "gone.json").read_text())["sources"][1] == {
        "name": "luke, the checkpoint that training started from"
    }
    (tmp_path / "list.json").write_text("[]")
    assert "list.json must hold a JSON object" in run("card", pipeline, tmp_path / "list.json", "x.json", fails=True)
    (tmp_path / "bare.json").write_text("{}")
    assert "bare.json is no metrics.json" in run(
        "card", pipeline, tmp_path / "bare.json", tmp_path / "x.json", "--meta", tmp_path / "describe.json", fails=True
    )
    (tmp_path / "describe.json").write_text("{")
    assert "describe.json is no JSON" in run(
        "card", pipeline, metrics, tmp_path / "card" / "meta.json", "--meta", tmp_path / "describe.json", fails=True
    )


def test_train_and_its_errors(config, corpus, tmp_path):
    path = config(corpus / "train.spacy", corpus / "dev.spacy", max_steps=4, eval_frequency=2)
    output = run("train", path, "-o", tmp_path / "out", "--training.max_steps", "2")
    assert (
        "Saved the last pipeline to" in output
        and len((tmp_path / "out" / "training-log.jsonl").read_text().splitlines()) == 2
    )
    assert spacy.load(tmp_path / "out" / "model-best").pipe_names == ["luke_ner"]
    (tmp_path / "file").write_text("")
    assert "file is a file; name another" in run("train", path, "-o", tmp_path / "file", fails=True)
    typo = run("train", path, "-o", tmp_path / "out", "--training.maxsteps", "2", "--training.max_steps", "1")
    assert "--training.maxsteps is not in" in typo and "--training.max_steps is not" not in typo
    wrong = ["--training.eval_frequency", "0"]
    assert "eval_frequency must be at least 1, got 0" in run("train", path, "-o", tmp_path / "out", *wrong, fails=True)
    missing = ["--corpora.train.path", "nowhere.jsonl"]
    assert "there is no file nowhere.jsonl" in run("train", path, "-o", tmp_path / "out", *missing, fails=True)


def test_calibrate(pipeline, tmp_path):
    data = tmp_path / "data.jsonl"
    texts = [*toys.EXAMPLES * 2, *[(text, []) for text, _ in toys.EXAMPLES]]  # two in three of what it finds are right
    lines = [json.dumps({"text": text, "entities": spans}, ensure_ascii=False) for text, spans in texts]
    data.write_text("\n".join(lines), encoding="utf8")
    output = run("calibrate", pipeline, data, tmp_path / "calibrated")
    assert "24 entities found, 16 of them right to the character" in output
    plain, calibrated = spacy.load(pipeline), spacy.load(tmp_path / "calibrated")
    temperature = calibrated.get_pipe("luke_ner").temperature
    assert temperature == calibrated.config["components"]["luke_ner"]["temperature"] > 1.0
    assert f"with temperature = {temperature}" in output
    run("evaluate", pipeline, data, tmp_path / "before")
    run("evaluate", tmp_path / "calibrated", data, tmp_path / "after")
    before, after = (json.loads((tmp_path / n / "metrics.json").read_text()) for n in ("before", "after"))
    assert after["characters"] == before["characters"]
    errors = [f"{metrics['calibration']['ece']:.3f}" for metrics in (before, after)]
    assert f"expected calibration error {errors[0]} {errors[1]}" in output and errors[1] < errors[0]
    # The temperature that it has is no obstacle, and a pipeline that is there is replaced.
    again = run("calibrate", tmp_path / "calibrated", data, tmp_path / "again")
    assert f"temperature {temperature:.4g} {temperature:.4g}" in again
    first = (tmp_path / "calibrated" / "meta.json").stat().st_ino
    run("calibrate", tmp_path / "again", data, tmp_path / "calibrated")
    assert (tmp_path / "calibrated" / "meta.json").stat().st_ino != first
    assert [ent.text for ent in plain("東京へ").ents] == [ent.text for ent in calibrated("東京へ").ents]


def test_calibrate_one_of_several_on_what_the_others_left(checkpoints, corpus, tmp_path):
    nlp = spacy_luke_ja.blank(split_mode="C")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "人名", "pattern": "山田花子"}])
    for name, threshold in (("first", 0.0), ("second", 0.99)):
        model = {"name": str(checkpoints["luke"]), "overlap": 8}
        nlp.add_pipe("luke_ner", name=name, config={"model": model, "threshold": threshold})
    nlp.to_disk(tmp_path / "two")
    data = corpus / "train.spacy"
    assert "--component must say which" in run("calibrate", tmp_path / "two", data, tmp_path / "out", fails=True)
    output = run("calibrate", tmp_path / "two", data, tmp_path / "out", "--component", "second")
    assert "The threshold, 0.99, is of the new scores from now on" in output
    loaded = spacy.load(tmp_path / "out")
    assert loaded.get_pipe("second").temperature and loaded.get_pipe("first").temperature is None
    said = run("calibrate", tmp_path / "two", data, tmp_path / "out", "--component", "third", fails=True)
    assert "--component must be one of first, second, got third" in said


def test_calibrate_what_cannot_be(pipeline, checkpoints, corpus, tmp_path):
    data, output = corpus / "train.spacy", tmp_path / "out"
    spacy_luke_ja.blank().to_disk(tmp_path / "blank")
    jsonl = {
        "nothing": '{"text": "何もない。", "entities": []}',
        "other": '{"text": "東京", "entities": [[0, 2, "GPE"]]}',
        "right": '{"text": "東京", "entities": [[0, 2, "地名"]]}',
    }
    for name, line in jsonl.items():
        (tmp_path / f"{name}.jsonl").write_text(line, encoding="utf8")
    DocBin().to_disk(tmp_path / "empty.spacy")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    for arguments, said in [
        ((pipeline, tmp_path / "nothing.jsonl", output), "luke_ner found no entity in 1 texts"),
        ((pipeline, tmp_path / "other.jsonl", output), "labels in the data: GPE; found: 地名"),
        ((pipeline, tmp_path / "empty.spacy", output), "the data is empty"),
        ((pipeline, tmp_path / "none.spacy", output), "no file"),
        (("./nowhere", data, output), "no directory ./nowhere"),
        ((checkpoints["bare_luke"], data, output), "LABEL_0"),
        ((tmp_path / "blank", data, output), "the pipeline has no luke_ner, only a tokenizer"),
        ((pipeline, data, pipeline), "would be overwritten"),
        ((pipeline, data, tmp_path / "full"), "a directory with thesis.txt, and no spaCy pipeline"),
        ((pipeline, data, tmp_path / "empty.spacy"), "it is a file"),
    ]:
        assert said in run("calibrate", *arguments, fails=True)
        assert not output.exists()
    assert (tmp_path / "full" / "thesis.txt").exists()
    assert "as far as the search goes" in run("calibrate", pipeline, tmp_path / "right.jsonl", output)


def test_calibrate_keeps_the_better_temperature(pipeline, corpus, tmp_path, monkeypatch):
    from spacy_luke_ja.evaluation import calibration

    monkeypatch.setattr(calibration, "fit_temperature", lambda entities, correct: 9.0)
    output = run("calibrate", pipeline, corpus / "train.spacy", tmp_path / "out")
    assert "The temperature that was found, 9.0, takes the expected calibration error from 0." in output
    assert "the pipeline keeps 1" in output and "with the temperature that it had, 1" in output
    assert spacy.load(tmp_path / "out").get_pipe("luke_ner").temperature is None


def write_jsonl(path, records):
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path


def test_threshold(pipeline, tmp_path):
    """Of what it finds, 人名 and 法人名 are always right, 地名 never; 政治的組織名 is in none of the texts."""
    text = "山田花子は東京へ、日立製作所へ行った。"
    gold = [[0, 4, "人名"], [9, 14, "法人名"], [5, 6, "地名"]]
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": text, "entities": gold}] * 3)
    output = run("threshold", pipeline, data, tmp_path / "out", "--precision", "0.9")
    assert "地名: no threshold gives a precision of 0.9; 0.000 is the best" in output
    assert (
        "人名 0 1.000 1.000 1.000 3 of 3" in output and "人名: 3 entities were found, and so few say little" in output
    )
    assert "政治的組織名: the texts have none, or none was found; its threshold stays 0" in output
    nlp = spacy.load(tmp_path / "out")
    threshold = nlp.get_pipe("luke_ner").threshold
    assert threshold["地名"] == 1.0 and threshold["人名"] == 0.0 == threshold["政治的組織名"]
    assert nlp.config["components"]["luke_ner"]["threshold"] == dict(threshold)
    assert [ent.label_ for ent in nlp(text).ents] == ["人名", "法人名"]
    # Texts that were annotated for some labels say nothing of others.
    data = write_jsonl(tmp_path / "data.jsonl", [{"text": text, "entities": gold[:1], "annotated_labels": ["人名"]}])
    output = run("threshold", tmp_path / "out", data, tmp_path / "again")
    assert "法人名: the texts have none, or none was found; its threshold stays 0" in output
    assert "地名: the texts have none, or none was found; its threshold stays 1" in output
    for wrong in ("0", "1.5", "-1"):
        said = run("threshold", pipeline, data, tmp_path / "x", f"--precision={wrong}", fails=True)
        assert "--precision must be above 0 and at most 1" in said
    assert "would be overwritten" in run("threshold", pipeline, data, pipeline, fails=True)


def test_labels_that_nobody_annotated_are_named(pipeline, tmp_path):
    """Sentences that were annotated for one label alone: what is found of others is no error, and looks like one."""
    text, gold = "山田花子は東京へ、日立製作所へ行った。", [[0, 4, "人名"]]
    bare = write_jsonl(tmp_path / "bare.jsonl", [{"text": text, "entities": gold}] * 2)
    said = "of these labels, so all that was found of them counts as wrong: 地名 (2), 法人名 (2)"
    assert said in run("evaluate", pipeline, bare, tmp_path / "metrics")
    assert said in run("calibrate", pipeline, bare, tmp_path / "calibrated")
    known = {"text": text, "entities": gold, "annotated_labels": ["人名"]}
    told = write_jsonl(tmp_path / "told.jsonl", [known, {**known, "text": "大阪と山田花子", "entities": []}])
    assert "counts as wrong" not in run("evaluate", pipeline, told, tmp_path / "metrics")
    assert "counts as wrong" not in run("calibrate", pipeline, told, tmp_path / "other")


def test_bad_records_can_be_left_out_of_what_is_measured(pipeline, tmp_path):
    text = "山田花子は東京へ、日立製作所へ行った。"
    gold = [[0, 4, "人名"], [5, 7, "地名"], [9, 14, "法人名"]]
    records = [{"text": text, "entities": gold}, {"text": text}, {"text": text, "entities": [[0, 99, "人名"]]}]
    data = write_jsonl(tmp_path / "data.jsonl", records)
    for command in (
        ("evaluate", pipeline, data, tmp_path / "metrics"),
        ("calibrate", pipeline, data, tmp_path / "calibrated"),
        ("threshold", pipeline, data, tmp_path / "sure"),
    ):
        said = run(*command, fails=True)
        assert "data.jsonl, line 2" in said and 'with "skip" for --on-bad-record, such records are left out' in said
        output = run(*command, "--on-bad-record", "skip")
        assert "2 of 3 records were skipped; the first is" in output
    said = run("evaluate", pipeline, data, tmp_path / "no", "--on-bad-record", "drop", fails=True)
    assert "--on-bad-record must be one of raise, skip, got drop" in said
    run("compare", data, tmp_path / "compared", "-p", pipeline, "--runs", "1", "--on-bad-record", "skip")


def test_what_a_text_was_not_annotated_for_is_no_error(pipeline, tmp_path):
    record = {"text": "山田花子は東京へ", "entities": [[0, 4, "人名"]], "annotated_labels": ["人名"]}
    data = write_jsonl(tmp_path / "data.jsonl", [record])
    run("evaluate", pipeline, data, tmp_path / "metrics")
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text())
    assert metrics["characters"]["micro"]["p"] == 1.0 == metrics["tokens"]["micro"]["p"]
    examples = list(create_entity_corpus(data)(spacy_luke_ja.blank()))
    scores = spacy.load(pipeline).evaluate(examples)
    assert scores["char_ents_p"] == 1.0 == scores["ents_p"]


@pytest.mark.parametrize("temperature, said", [(None, "are not calibrated"), (2.5, "are calibrated (temperature 2.5)")])
def test_a_card_says_whether_scores_are_calibrated(make_nlp, corpus, tmp_path, temperature, said):
    make_nlp(temperature=temperature).to_disk(tmp_path / "pipeline")
    run("evaluate", tmp_path / "pipeline", corpus / "test.spacy", tmp_path / "metrics")
    run("card", tmp_path / "pipeline", tmp_path / "metrics" / "metrics.json", tmp_path / "meta.json")
    notes = json.loads((tmp_path / "meta.json").read_text())["notes"]
    assert f"Scores of entities (luke_ner) {said}." in notes and "Expected calibration error of the scores: " in notes


def test_a_card_takes_no_metrics_of_another_pipeline(pipeline, corpus, tmp_path):
    metrics = tmp_path / "metrics" / "metrics.json"
    run("evaluate", pipeline, corpus / "test.spacy", tmp_path / "metrics")
    nlp = spacy.load(pipeline)
    nlp.get_pipe("luke_ner").threshold = 0.5
    nlp.to_disk(tmp_path / "other")
    said = run("card", tmp_path / "other", metrics, tmp_path / "meta.json", fails=True)
    assert "metrics.json is not of the pipeline" in said and "measure this one: spacy luke evaluate" in said
    run("card", pipeline, metrics, tmp_path / "meta.json")
    content = json.loads(metrics.read_text())
    del content["pipeline"]["fingerprint"]
    metrics.write_text(json.dumps(content))
    assert "is not of the pipeline" in run("card", pipeline, metrics, tmp_path / "meta.json", fails=True)


# Files of the user's


def snapshot(path):
    return {str(entry.relative_to(path)): entry.read_bytes() for entry in path.rglob("*") if entry.is_file()}


@pytest.fixture
def evaluation(pipeline, corpus, tmp_path):
    run("evaluate", pipeline, corpus / "test.spacy", tmp_path / "metrics")
    return tmp_path / "metrics"


def refusals():
    """Arguments, of which {…} is in the user's directory, and what is said."""
    calibrate, quantize = "calibrate {pipeline} {corpus}/dev.spacy", "quantize {pipeline}"
    threshold = "threshold {pipeline} {corpus}/dev.spacy"
    evaluate = "evaluate {pipeline} {corpus}/dev.spacy"
    report = "report {metrics}/metrics.json {metrics}/texts.jsonl"
    card = "card {pipeline} {metrics}/metrics.json"
    return [
        *((f"{command} {{mine}}/{place}", place) for command in (calibrate, threshold, quantize) for place in (
            "configs", "diary", "list.txt", "half", "annotated", "../pipeline", "../pipeline/new", "..", "dangling")),
        (f"{evaluate} {{mine}}/list.txt", "must be a directory"),
        (f"{evaluate} {{mine}}/results", "metrics.json is there already, and is not the metrics"),
        (f"{evaluate} {{pipeline}}/metrics", "lies in what the command reads"),
        ("compare {corpus}/dev.spacy {mine}/results -p {pipeline}", "compare.md is there already"),
        ("evaluate-qa {pipeline} {mine}/list.txt {mine}/results", "metrics.json is there already"),
        (f"{report} {{mine}}/list.txt", "is not a page that this program wrote"),
        (f"{report} {{mine}}/page.html", "is not a page that this program wrote"),
        (f"{report} {{metrics}}/metrics.json", "is what the command reads"),
        (f"{report} {{mine}}/hard.json", "is what the command reads"),
        (f"{report} {{mine}}/link.json", "is what the command reads"),
        (f"{report} {{mine}}/diary", "must be a file"),
        (f"{card} {{pipeline}}/meta.json", "lies in what the command reads"),
        (f"{card} {{metrics}}/metrics.json", "is what the command reads"),
        (f"{card} {{mine}}/list.txt", "is not a model card"),
        (f"{card} {{mine}}/configs/meta.json", "is not a model card"),
        ("convert {corpus}/dev.spacy {mine}/gold.spacy", "is not a .spacy file that this program wrote"),
        ("convert {corpus}/dev.spacy {corpus}/dev.spacy", "is what the command reads"),
        ("convert-stockmark {mine}/../ner.json {mine} --md5=", "report.json is there already"),
        ("convert-stockmark {mine}/../ner.json {mine}/gold --md5=", "train.spacy is there already"),
        ("demo 東京 -m {pipeline} -o {mine}/page.html", "is not a page that this program wrote"),
    ]  # fmt: skip


def test_no_command_overwrites_what_is_not_ours(evaluation, pipeline, corpus, tmp_path):
    mine = tmp_path / "mine"
    for name in ("configs", "diary", "half", "results", "gold"):
        (mine / name).mkdir(parents=True)
    for name, content in {
        **{"configs/meta.json": '{"name": "x"}', "configs/a.cfg": "[nlp]", "diary/monday": "ran", "list.txt": "milk"},
        **{
            "half/config.cfg": "[nlp]\n",
            "half/meta.json": "{}",
            "results/metrics.json": '{"f": 1}',
            "page.html": "<p>",
        },
        **{"results/compare.md": "Mine", "report.json": "[]"},
    }.items():
        (mine / name).write_text(content)
    spacy.blank("ja").to_disk(mine / "annotated")
    (mine / "annotated" / "notes.md").write_text("mine")
    nlp = spacy.blank("ja")
    for name in ("gold.spacy", "gold/train.spacy"):
        DocBin(docs=[nlp("東京")]).to_disk(mine / name)
    (mine / "hard.json").hardlink_to(evaluation / "metrics.json")
    (mine / "link.json").symlink_to(evaluation / "metrics.json")
    (mine / "dangling").symlink_to(tmp_path / "gone" / "model")
    before = snapshot(tmp_path)
    for arguments, said in refusals():
        places = {"pipeline": pipeline, "corpus": corpus, "metrics": evaluation, "mine": mine}
        printed = run(*arguments.format(**places).split(), fails=True)
        assert said in printed, arguments
        assert snapshot(tmp_path) == before, arguments
    assert (mine / "dangling").is_symlink()


def test_what_is_ours_is_replaced(evaluation, pipeline, corpus, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "empty").mkdir()
    (out / "empty.html").write_text("")
    for _ in range(2):
        run("calibrate", pipeline, corpus / "dev.spacy", out / "calibrated")
        run("calibrate", pipeline, corpus / "dev.spacy", out / "empty")
        run("evaluate", pipeline, corpus / "test.spacy", evaluation)
        run("report", evaluation / "metrics.json", evaluation / "texts.jsonl", out / "empty.html")
        run("card", pipeline, evaluation / "metrics.json", out / "meta.json")
        run("convert", corpus / "dev.spacy", out / "dev.spacy")
        run("convert-stockmark", tmp_path / "ner.json", corpus, "--md5", "")
    spacy.blank("ja").to_disk(out / "of_spacy")
    run("calibrate", pipeline, corpus / "dev.spacy", out / "of_spacy")
    assert {path.name for path in out.iterdir()} == {
        "calibrated", "empty", "empty.html", "meta.json", "dev.spacy", "of_spacy"
    }  # fmt: skip
    assert list(Corpus(out / "dev.spacy")(spacy_luke_ja.blank()))


def test_all_bad_lines_are_listed_and_the_option_is_named(tmp_path):
    lines = ['{"text": "東京", "entities": []}', *["x"] * 30]
    (tmp_path / "data.jsonl").write_text("\n".join(lines), encoding="utf8")
    said = run("convert", tmp_path / "data.jsonl", tmp_path / "x.spacy", fails=True)
    assert 'with "skip" for --on-bad-record, such records are left out' in said
    assert "--on-bad-record must be one of raise, skip, got drop" in run(
        "convert", tmp_path / "data.jsonl", tmp_path / "x.spacy", "--on-bad-record", "drop", fails=True
    )
    said = run("convert", tmp_path / "data.jsonl", tmp_path / "x.spacy", "--on-bad-record", "skip")
    assert "30 of 31 records were skipped" in said and "… and 10 more" in said
    assert all(f"line {n}: this is not JSON" in said for n in range(2, 22)) and "line 22:" not in said


@pytest.mark.parametrize("part", ["train", "dev"])
def test_the_option_that_is_missing_is_named(corpus, tmp_path, part):
    other = {"train": "dev", "dev": "train"}[part]
    config = Path(__file__).parents[1] / "configs" / "luke_ner_sm.cfg"
    given = [f"--paths.{other}", corpus / f"{other}.spacy"]
    for command in (["train", config, "-o", tmp_path / "out"], ["debug-data", config]):
        assert f"which has no file to read: give it by --paths.{part} FILE" in run(*command, *given, fails=True)
    assert not (tmp_path / "out").exists()


def test_train_stopped_by_ctrl_c_and_finished(config, corpus, tmp_path, monkeypatch):
    from spacy_luke_ja.training import loop

    path = config(corpus / "train.spacy", corpus / "dev.spacy", max_steps=4, eval_frequency=2)
    update = loop.update

    def stop(nlp, batch, settings, optimizer, dropout, step, *args):
        if step == 3:
            raise KeyboardInterrupt
        update(nlp, batch, settings, optimizer, dropout, step, *args)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "update", stop)
        result = CliRunner().invoke(app, ["luke", "train", str(path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 130 and "--resume goes on" in " ".join(result.output.split())
    assert spacy.load(tmp_path / "out" / "model-last").pipe_names == ["luke_ner"]
    assert "going on from step 3" in run("train", path, "-o", tmp_path / "out", "--resume")
    again = run("train", path, "-o", tmp_path / "out", "--resume")
    assert "is finished, after step 4" in again and "Saved the last" not in again
