"""python -m spacy luke evaluate-qa. What the toy checkpoint answers is in toys.ANSWERS."""

import json

import pytest
import spacy
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_luke_ja
import spacy_luke_ja.cli  # the commands
import toy_corpora
import toys
from spacy_luke_ja import set_gold_answers
from spacy_luke_ja.corpora.qa import create_squad_corpus, read_squad


def run(*arguments, fails=False):
    result = CliRunner().invoke(app, ["luke", "evaluate-qa", *map(str, arguments)])
    assert result.exit_code == int(fails), result.output
    return " ".join(result.output.split())  # wasabi wraps lines


@pytest.fixture
def data(tmp_path):
    return toy_corpora.write_squad(tmp_path / "data.json")


@pytest.fixture
def write_pipeline(answerers, tmp_path):
    def write(*names, **config):
        nlp = spacy_luke_ja.blank()
        for name in names:
            model = {"name": str(answerers["luke"]), "overlap": 8, "precision": "float32"}
            nlp.add_pipe("luke_qa", name=name, config={"model": model, **config})
        nlp.to_disk(tmp_path / "pipeline")
        return tmp_path / "pipeline"

    return write


def test_metrics_and_answers(write_pipeline, data, tmp_path):
    pipeline = write_pipeline("luke_qa")
    output = run(pipeline, data, tmp_path / "metrics")
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text(encoding="utf8"))
    lines = (tmp_path / "metrics" / "answers.jsonl").read_text(encoding="utf8").splitlines()
    answers = {answer["id"]: answer for answer in map(json.loads, lines)}
    assert list(answers) == ["山田花子0", "山田花子1", "国会0", "国会1", "首相0", "首相1", "京都0"]
    first = answers["山田花子0"]
    assert first.pop("score") > 0.9 and first.pop("null_score") < 1e-6
    assert first == {
        "question": "誰が行きましたか。", "gold": ["山田花子"], "text": "山田花子", "char_start": 0, "char_end": 4,
        "id": "山田花子0", "exact_match": 1.0, "f1": 1.0, "jaquad_f1": 1.0, "error": "",
    }  # fmt: skip
    assert answers["山田花子1"]["text"] == "山田花子" and answers["山田花子1"]["exact_match"] == 0.0
    assert answers["首相1"]["gold"] == []
    assert [metrics[block]["n"] for block in ("all", "answerable", "unanswerable")] == [7, 6, 1]
    for key in ("exact_match", "f1"):
        assert metrics["all"][key] == pytest.approx(sum(answer[key] for answer in answers.values()) / 7)
        assert metrics["answerable"][key] == pytest.approx(
            sum(answer[key] for answer in answers.values() if answer["gold"]) / 6
        )
    nlp = spacy.load(pipeline)
    scores = nlp.evaluate(create_squad_corpus(data)(nlp))
    assert (scores["qa_em"], scores["qa_f"], scores["qa_n"]) == pytest.approx(
        (metrics["all"]["exact_match"], metrics["all"]["f1"], 7)
    )
    assert metrics["data"] == "data.json" and metrics["component"] == "luke_qa" and metrics["size"] > 10_000
    assert metrics["questions_per_second"] > 0 and metrics["load_seconds"] > 0
    keys = ("exact_match", "f1", "jaquad_exact_match", "jaquad_f1")
    assert "exact match F1 JaQuAD's EM JaQuAD's F1 questions" in output
    assert " ".join(["all", *(f"{metrics['all'][key]:.3f}" for key in keys), "7"]) in output
    assert "as JSQuAD compares" in output and "questions a second" in output


def test_no_answer(write_pipeline, data, tmp_path):
    run(write_pipeline("luke_qa", null_threshold=0.0), data, tmp_path / "metrics")
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text(encoding="utf8"))
    assert metrics["answerable"] == {
        "exact_match": 0.0, "f1": 0.0, "jaquad_exact_match": 0.0, "jaquad_f1": 0.0, "n": 6,
    }  # fmt: skip
    assert set(metrics["unanswerable"].values()) == {1.0}
    lines = (tmp_path / "metrics" / "answers.jsonl").read_text(encoding="utf8").splitlines()
    for answer in map(json.loads, lines):
        assert (answer["text"], answer["char_start"], answer["char_end"]) == ("", 0, 0)
        assert answer["score"] == answer["null_score"] > 0


def test_the_best_null_threshold_is_found_and_set(write_pipeline, data, tmp_path):
    """What no text answers has the highest null score here, or not: the best threshold answers what it should."""
    pipeline, made = write_pipeline("luke_qa"), tmp_path / "made"
    output = run(pipeline, data, tmp_path / "metrics", "--pipeline-output", made)
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text(encoding="utf8"))
    best = metrics["best_null_threshold"]
    assert metrics["null_threshold"] == 1.0 and metrics["all_at_best"]["f1"] >= metrics["all"]["f1"]
    assert f"best is {best:.4g}: exact match {metrics['all_at_best']['exact_match']:.3f}" in output
    nlp = spacy.load(made)
    assert nlp.get_pipe("luke_qa").null_threshold == best == nlp.config["components"]["luke_qa"]["null_threshold"]
    run(made, data, tmp_path / "again")
    again = json.loads((tmp_path / "again" / "metrics.json").read_text(encoding="utf8"))
    assert again["all"] == metrics["all_at_best"] and again["best_null_threshold"] == best


def test_without_a_question_that_has_no_answer_no_threshold_can_be_chosen(write_pipeline, data, tmp_path):
    content = json.loads(data.read_text(encoding="utf8"))
    content["data"] = content["data"][:2]
    data.write_text(json.dumps(content), encoding="utf8")
    pipeline = write_pipeline("luke_qa")
    assert "what null_threshold should be cannot be said" in run(pipeline, data, tmp_path / "metrics")
    said = run(pipeline, data, tmp_path / "metrics", "--pipeline-output", tmp_path / "made", fails=True)
    assert "needs questions without an answer" in said and not (tmp_path / "made").exists()


def test_a_docbin_of_gold_answers(write_pipeline, data, tmp_path):
    nlp = spacy_luke_ja.blank()
    docs = []
    for paragraph in read_squad(data):
        docs.append(nlp.make_doc(paragraph.text))
        for question in paragraph.questions:
            set_gold_answers(docs[-1], question.text, question.answers)
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "gold.spacy")
    pipeline = write_pipeline("luke_qa")
    run(pipeline, data, tmp_path / "metrics")
    run(pipeline, tmp_path / "gold.spacy", tmp_path / "same")
    metrics, same = (
        json.loads((tmp_path / name / "metrics.json").read_text(encoding="utf8")) for name in ("metrics", "same")
    )
    for key in ("all", "answerable", "unanswerable", "best_null_threshold"):
        assert metrics[key] == pytest.approx(same[key])


def test_a_checkpoint_and_the_first_questions(data, tmp_path):
    task = {"task": "QuestionAnswering", "tags": ["LABEL_0", "LABEL_1"], "answers": toys.ANSWERS}
    output = run(toys.write_luke(tmp_path / "luke", **task, max_length=512), data, tmp_path / "metrics", "--limit", "2")
    assert "all 0.500 " in output and "answerable 0.500 " in output and "unanswerable – – – – 0" in output


def test_one_of_several(write_pipeline, data, tmp_path):
    pipeline = write_pipeline("first", "second")
    said = run(pipeline, data, tmp_path / "metrics", fails=True)
    assert "--component must say which" in said and "first, second" in said
    run(pipeline, data, tmp_path / "metrics", "--component", "second")
    assert json.loads((tmp_path / "metrics" / "metrics.json").read_text())["component"] == "second"


def test_a_bad_question(write_pipeline, data, tmp_path):
    content = json.loads(data.read_text(encoding="utf8"))
    content["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["text"] = "鈴木"
    data.write_text(json.dumps(content), encoding="utf8")
    pipeline = write_pipeline("luke_qa")
    assert "question 山田花子0: the answer '鈴木' does not stand at 0" in run(
        pipeline, data, tmp_path / "metrics", fails=True
    )
    output = run(pipeline, data, tmp_path / "metrics", "--on-bad-record", "skip")
    assert "1 of 7 questions were left out (山田花子0)" in output and " 6 " in output


def test_what_cannot_be(write_pipeline, checkpoints, data, tmp_path):
    spacy_luke_ja.blank().to_disk(tmp_path / "blank")
    (tmp_path / "empty.json").write_text('{"data": []}')
    (tmp_path / "file").write_text("")
    pipeline, output = write_pipeline("luke_qa"), tmp_path / "out"
    for arguments, said in [
        ((tmp_path / "blank", data, output), "the pipeline has no luke_qa, only a tokenizer"),
        (("./nowhere", data, output), "no directory ./nowhere"),
        ((checkpoints["luke"], data, output), "17 outputs; question answering needs 2"),
        ((pipeline, tmp_path / "none.json", output), "there is no file"),
        ((pipeline, tmp_path / "data.txt", output), "must end in .json, .jsonl, each also with .gz"),
        ((pipeline, tmp_path / "empty.json", output), "the data is empty"),
        ((pipeline, data, tmp_path / "file"), "must be a directory to write metrics.json and answers.jsonl to"),
        ((pipeline, data, output, "--on-bad-record", "drop"), "--on-bad-record must be one of raise, skip, got drop"),
    ]:
        assert said in run(*arguments, fails=True)
    result = CliRunner().invoke(app, ["luke", "evaluate-qa", str(pipeline), str(data), str(output), "--limit", "-1"])
    assert result.exit_code == 2


def test_a_question_that_cannot_be_asked_is_named_and_the_others_are_answered(write_pipeline, data, tmp_path):
    content = json.loads(data.read_text(encoding="utf8"))
    content["data"][0]["paragraphs"][0]["qas"][0]["question"] = "あいうえお" * 30
    data.write_text(json.dumps(content, ensure_ascii=False), encoding="utf8")
    output = run(write_pipeline("luke_qa"), data, tmp_path / "metrics")
    metrics = json.loads((tmp_path / "metrics" / "metrics.json").read_text(encoding="utf8"))
    assert list(metrics["not_asked"]) == ["山田花子0"] and metrics["all"]["n"] == 7
    assert "山田花子0: [luke_qa] a question may have at most" in output and "1 questions could not be asked" in output
